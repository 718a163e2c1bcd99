"""What a plan is made of: choices, limits, node costs, and the plan with every figure that follows from it."""
