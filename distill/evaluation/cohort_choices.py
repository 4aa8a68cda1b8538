"""What options of an evaluation on an external cohort may be, as plain data for `--help`."""

COHORTS = "cohorts"
"""Folder in a run that has one for each cohort."""
REFUSE, LEAVE_OUT = UNKNOWN_CLASSES = ("refuse", "leave-out")
"""What becomes of a cohort whose labels are no class of the run, or of such crops."""
KEEP, RENORMALIZE = ABSENT_CLASSES = ("keep", "renormalize")
"""Whether a run may answer with classes that a cohort does not have."""
SHARED, OWN = PATIENT_IDS = ("shared", "own")
"""Whether a patient of a cohort is the person of that name in other stores."""
