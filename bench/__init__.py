"""The product and a bare reference, side by side in one run -> their ratio, which another machine shares."""
