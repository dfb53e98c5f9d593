"""The tutorial's failure, reproduced and ended: servers whose clients vanish, and what is left in them."""
