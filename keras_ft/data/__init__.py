"""Files → rows → splits → memory-mapped token arrays → the plan of an epoch → batches."""
