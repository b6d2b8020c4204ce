"""One process's hold on one job: what its stages run on."""
