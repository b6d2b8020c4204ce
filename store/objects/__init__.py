"""Where what is kept lies: on a disk, or in a bucket that many machines share."""
