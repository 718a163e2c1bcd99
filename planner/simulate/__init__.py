"""A plan run by run against generated or recorded capacity."""
