"""Python source, read with LibCST: classes, attributes, what forward reaches. Runs nothing."""
