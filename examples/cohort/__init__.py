"""Distillation on a synthetic cohort of many crops a patient, in about three quarters of an hour."""
