"""Listen while code runs: the recorder, its ledger, marks, the journal, writers of state."""
