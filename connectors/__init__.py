"""The catalogue of platforms: channel name -> connector class."""
