// Package conformance holds a server's connections against the standards.
//
// [Cases] are the requirements, each with its source and its level: MUST, SHOULD, or advice of
// our own. What an exchange with the server has shown is a value of [Facts]: a probe fills it
// in, and Judge decides the cases that it is about, with the sentence of the standard above
// the line that obeys it. Facts that only together decide a case are one value ([HTTP1]), so
// that what one defect explains is not held against the server a second time.
//
// [Select] and [With] choose among the cases, [Findings] makes data of the decided ones, and
// [Vocabulary] and [Figures] are what assertions can say about a server.
//
// No socket is opened here and no clock is read: a case is tested by a table.
package conformance

import (
	"fmt"
	"slices"
	"strings"

	"linger/profile"
)

// Cases returns all cases, in the order in which reports have them.
func Cases() []profile.Case {
	var cases []profile.Case
	for _, r := range slices.Concat(http1Cases, tlsCases, http2Cases, http3Cases, dnsCases) {
		cases = append(cases, profile.Case(r))
	}
	return cases
}

// A row is a case as the tables have it.
type row profile.Case

// CaseByID returns the case of that name; asking for one that there is not is a
// mistake of the program.
func CaseByID(id string) profile.Case {
	for _, c := range Cases() {
		if c.ID == id {
			return c
		}
	}
	panic(fmt.Sprintf("conformance: no case is called %q", id))
}

// With returns cases in their order, and with them those that assertions name, where _
// stands for -, unless skip names them.
func With(cases []profile.Case, figures, skip []string) []profile.Case {
	var out []profile.Case
	for _, c := range Cases() {
		named := slices.Contains(figures, caseName(c.ID)) && !slices.Contains(skip, c.ID) && !slices.Contains(skip, string(c.Protocol))
		if named || slices.Contains(cases, c) {
			out = append(out, c)
		}
	}
	return out
}

// Select returns the cases that only names, or all if it names none, less those that
// skip names. A name is that of a case, or of a protocol.
func Select(only, skip []string) ([]profile.Case, error) {
	all := Cases()
	matches := func(c profile.Case, names []string) bool {
		return slices.Contains(names, c.ID) || slices.Contains(names, string(c.Protocol))
	}
	for _, name := range slices.Concat(only, skip) {
		if !slices.ContainsFunc(all, func(c profile.Case) bool { return matches(c, []string{name}) }) {
			return nil, fmt.Errorf("no case is called %q; linger probe --list names them", name)
		}
	}
	var chosen []profile.Case
	for _, c := range all {
		if (len(only) == 0 || matches(c, only)) && !matches(c, skip) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 && len(all) > 0 {
		return nil, fmt.Errorf("no case is left of --only %s less --skip %s", strings.Join(only, ","), strings.Join(skip, ","))
	}
	return chosen, nil
}
