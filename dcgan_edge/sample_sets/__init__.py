"""Images of many seeds in few files, written by one machine or by many, and read again.

What is to be made is a `SamplePlan`: which images there are, and which file each of them is in. A file is the
unit of everything: of shards, of resuming, of retries and of what is verified.
"""
