"""Distillation on real histology: the lung fields of LC25000, in colour and in grey."""
