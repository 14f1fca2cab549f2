from esper_audit import scenario

raise RuntimeError("can't be imported")


@scenario
def never_made(replay):
    """What if its file is broken?"""
