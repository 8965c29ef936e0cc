package main

import (
	"fmt"
	"linger/assert"
)

// assertions reads the values of --assert, before anything is measured.
func assertions(texts []string, v assert.Vocabulary) ([]assert.Assertion, error) {
	all, err := assert.ParseAll(texts, v)
	if err != nil {
		return nil, usage("--assert: %w", err)
	}
	return all, nil
}

// brokenOf is the error of assertions that do not hold, or of which that is not known.
func brokenOf(results []assert.Result) error {
	var first *assert.Result
	n := 0
	for i, r := range results {
		if r.Truth == assert.Holds {
			continue
		}
		if n++; first == nil {
			first = &results[i]
		}
	}
	switch n {
	case 0:
		return nil
	case 1:
		return statusError{exitAssertion, fmt.Errorf("--assert %s: %s: %s", quote(first.Text), first.Truth, first.Why)}
	}
	return statusError{exitAssertion, fmt.Errorf("%d assertions do not hold", n)}
}
