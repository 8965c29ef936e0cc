// Package flags holds what several verbs have in common on the command line: groups of flags, which
// mean the same in each, what they come to as nouns, and the words that say the same again. A verb
// embeds a group in its own flags. What is wrong with a value is an error of package fault that
// says what to write instead.
//
// A group parses by a method of its own, Parse where it comes to one value, and gives the words
// that differ from its defaults by Words. What may be secret is left out of words.
package flags

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WideFlag is the same in every verb that prints text.
type WideFlag struct {
	Wide bool `help:"Print every table and every column, however many lines that takes; from 140 columns on they are printed anyway."`
}

// LadderFlag is the same in every verb that shows strategies side by side.
type LadderFlag struct {
	Ladder string `placeholder:"LIST" help:"Draw these strategies message by message, below the table: each SYN, request, response and FIN of the trial nearest to the median; all for all of them. With --wide every message of every connection."`
}

// QueriesFlag is the same in every verb that writes HTML.
type QueriesFlag struct {
	ShowQueries bool `name:"show-queries" help:"In HTML, show the query strings of URLs, which may hold secrets; default is to leave them out."`
}

// Duration reads a duration.
func Duration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration; write 90ms, 1.5s or 2m", s)
	}
	return d, nil
}

// Settings are the words of flags that were given something else than they have anyway: of each its
// name, its value, and the value that it has where it is not given.
func Settings(all [][3]string) []string {
	var words []string
	for _, s := range all {
		if name, value, standard := s[0], s[1], s[2]; value != standard && value != "" {
			words = append(words, name, Quote(value))
		}
	}
	return words
}

// If is the name of a flag that was given, and empty else.
func If(name string, given bool) string {
	if !given {
		return ""
	}
	return name
}

// Given are those of some flags that were given.
func Given(names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// Quote makes a word safe for a shell.
func Quote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n'\"\\$`&|;<>()*?[]{}~#!") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

const (
	// mostPauses bounds how many connections are open at once, and longestPause how long.
	mostPauses   = 40
	longestPause = time.Hour
)

// Pauses reads the durations of --at.
func Pauses(list string) ([]time.Duration, error) {
	var pauses []time.Duration
	for part := range strings.SplitSeq(list, ",") {
		d, err := Duration(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		if d < 0 || d > longestPause {
			return nil, fmt.Errorf("%s is no pause to try; give 0s to %v", part, longestPause)
		}
		pauses = append(pauses, d)
	}
	if len(pauses) > mostPauses {
		return nil, fmt.Errorf("%d pauses; each has a connection open, and %d are tried at once: give fewer", len(pauses), mostPauses)
	}
	return pauses, nil
}

// Size reads 20kB, 1.5 MB, 4096.
func Size(s string) (int64, error) {
	number := strings.TrimRight(s, "kKMGiBb ")
	scale, ok := map[string]float64{"": 1, "b": 1, "kb": 1e3, "k": 1e3, "kib": 1024, "mb": 1e6, "m": 1e6, "mib": 1 << 20, "gb": 1e9, "g": 1e9, "gib": 1 << 30}[strings.ToLower(strings.TrimSpace(s[len(number):]))]
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !ok || v < 0 || v > 1e15 {
		return 0, fmt.Errorf("%q is no size; write 20kB", s)
	}
	return int64(v * scale), nil
}

// A Count is a number of things of which there is at least one; 0 where the flag is not given.
type Count int

// UnmarshalText reads a whole number from 1.
func (c *Count) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return fmt.Errorf("%q is no whole number", text)
	}
	if n < 1 {
		return fmt.Errorf("%d; give 1 or more, or leave it out", n)
	}
	*c = Count(n)
	return nil
}
