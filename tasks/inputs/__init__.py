"""Where pictures come from: folders, lists, archives, buckets and other stores."""
