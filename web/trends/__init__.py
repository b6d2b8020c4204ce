"""A recurring evaluation's scores from run to run."""
