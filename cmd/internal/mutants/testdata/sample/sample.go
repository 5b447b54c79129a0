// Package sample is the victim of the tests of mutants.
package sample

import "slices"

// os is a name that the tool must leave to the package.
const os = 9

// Larger returns the larger of two numbers.
func Larger(a, b int) int {
	if a > b {
		return a
	}
	return b
}

// Bounded returns a, at most 9.
func Bounded(a int) int { return min(a, os) }

// Sorted sorts.
func Sorted(a []int) []int {
	slices.Sort(a)
	return a
}

// Untested is reached by no test.
func Untested(a int) int {
	a++
	return a
}
