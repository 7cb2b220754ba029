"""Speed, as ratios within one run: `python -m bench`, or `make bench`. `plain` holds the slow versions to
compare with."""
