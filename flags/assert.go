package flags

import (
	"linger/assert"
	"linger/fault"
)

// Assertions reads the values of --assert, before anything is measured.
func Assertions(texts []string, v assert.Vocabulary) ([]assert.Assertion, error) {
	all, err := assert.ParseAll(texts, v)
	if err != nil {
		return nil, fault.Usage("--assert: %w", err)
	}
	return all, nil
}

// AssertWords are those conditions as flags.
func AssertWords(texts []string) (words []string) {
	for _, text := range texts {
		words = append(words, "--assert", Quote(text))
	}
	return words
}

// Broken is the error of Assertions that do not hold, or of which that is not known.
func Broken(results []assert.Result) error {
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
		return fault.Unmet("--assert %s: %s: %s", Quote(first.Text), first.Truth, first.Why)
	}
	return fault.Unmet("%d assertions do not hold", n)
}
