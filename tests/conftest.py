"""Settings of the whole suite: property tests draw the same examples on every machine of CI."""

import os

from hypothesis import settings

# No deadline: the first example of a test pays for imports and a busy machine is no failure.
settings.register_profile("mecdsl", deadline=None)
settings.register_profile(
    "mecdsl-ci", parent=settings.get_profile("mecdsl"), derandomize=True, print_blob=True
)
settings.load_profile("mecdsl-ci" if os.environ.get("CI") else "mecdsl")
