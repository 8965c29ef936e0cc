package linger

import (
	"fmt"
	"slices"
	"strings"
)

// unknown is the one sentence for a name that a list does not have: the nearest
// names, then the whole list, then what else may be written.
func unknown(what, got string, names []string, rest string) error {
	near := Nearest(got, names)
	hint := ""
	if len(near) > 0 {
		hint = fmt.Sprintf("did you mean %s? ", strings.Join(near, " or "))
	}
	return fmt.Errorf("unknown %s %q; %sknown: %s (%s)", what, got, hint, strings.Join(names, ", "), rest)
}

// Nearest returns up to two names that are at most two edits away, in short names
// only where the first letter is right, or that begin alike.
func Nearest(got string, names []string) []string {
	type scored struct {
		name string
		d    int
	}
	var near []scored
	for _, n := range names {
		typed := strings.ToLower(got)
		d := distance(typed, n)
		if got != "" && (strings.HasPrefix(n, typed) || d <= 2 && d < len(n) && (2*d <= len(n) || typed[0] == n[0])) {
			near = append(near, scored{n, d})
		}
	}
	slices.SortStableFunc(near, func(a, b scored) int { return a.d - b.d })
	var out []string
	for _, s := range near[:min(2, len(near))] {
		out = append(out, s.name)
	}
	return out
}

// distance is the number of single-letter edits between a and b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
