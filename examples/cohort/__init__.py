"""Distillation on a synthetic cohort of many crops a patient, in less than an hour."""
