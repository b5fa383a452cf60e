"""X, through its API version 2: https://docs.x.com/x-api"""
