"""The face of Maniac: evaluators, evaluation runs, and the containers that they draw on."""
