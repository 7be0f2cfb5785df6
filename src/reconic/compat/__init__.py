"""Configurations, weights and data of other packages, brought into Reconic's own form."""
