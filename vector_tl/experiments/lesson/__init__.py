"""`vector-tl lesson`: a page on which transfer learning can be touched, made from a comparison."""
