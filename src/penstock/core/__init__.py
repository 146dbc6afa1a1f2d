"""Values only: amounts, time, ids, refusals, secrets, commands and views. Imports nothing else of the package."""
