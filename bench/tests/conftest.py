"""Settings of the tests: no example has a time limit, since a busy machine is no bug."""

from hypothesis import settings

settings.register_profile("dragoman", deadline=None, print_blob=True)
settings.load_profile("dragoman")
