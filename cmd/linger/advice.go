package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"linger"
	"linger/complete"
	"linger/fault"
	"linger/flags"
	"linger/rig"
)

// forExample is how a verb is called that wants an argument.
var forExample = map[string]string{
	"get": "linger get https://example.com/", "report": "linger report FILE.trace", "completion": "linger completion bash",
	"lab": "linger lab -- curl -s http://origin/",
}

// What kong says of values, in the words of this program.
var plainer = []struct {
	said    *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`expected \w+ value but got "EOL" \(<EOL>\)`), "its value is missing"},
	{regexp.MustCompile(`expected a valid \d+ bit int but got ("[^"]*")`), "$1 is no whole number"},
	{regexp.MustCompile(`expected a valid 16 bit uint but got ("[^"]*")`), "$1 is no whole number from 0 to 65535"},
	{regexp.MustCompile(`expected a valid \d+ bit uint but got ("[^"]*")`), "$1 is no whole number from 0 up"},
	{regexp.MustCompile(`expected duration but got ("[^"]*")(: .*)?$`), "$1 is not a duration; write 90ms, 1.5s or 2m"},
	{regexp.MustCompile(`bool value must be .* but got ("[^"]*")`), "$1 is neither true nor false; write the flag alone"},
	{regexp.MustCompile(`must be one of (.*) but got ("[^"]*")`), "is one of $1, and not $2"},
}

// advise puts into words what is wrong with a command line, and the way out.
func advise(problem *kong.ParseError, args []string) error {
	said, line, name := problem.Error(), lineOf(problem.Context.Model), ""
	if verb := problem.Context.Selected(); verb != nil {
		name = verb.Name
	}
	for _, p := range plainer {
		said = p.said.ReplaceAllString(said, p.instead)
	}
	if flag, ok := strings.CutPrefix(said, "unknown flag "); ok {
		flag, _, _ = strings.Cut(flag, ",")
		return fault.Usage("unknown flag %s; %s", flag, line.MeantFlag(flag, name))
	}
	if word, ok := strings.CutPrefix(said, "unexpected argument "); ok && name == "" {
		word, _, _ = strings.Cut(word, ", did you mean")
		return fault.Usage("%s", noVerb(word, line))
	} else if ok && name == "bench" {
		return misplaced(word)
	} else if ok {
		return fault.Usage("%s is one argument too many; %s", linger.WithoutUser(word), complete.Help(name))
	}
	if what, ok := strings.CutPrefix(said, `expected "<`); ok && name != "" {
		what, _, _ = strings.Cut(what, ">")
		if i := slices.Index(args, "-s"); name == "get" && i >= 0 && i+1 < len(args) && flags.IsURL(args[i+1]) {
			return fault.Usage("-s names a strategy here, and %s is none; curl's -s is -q", linger.WithoutUser(args[i+1]))
		}
		return fault.Usage("the %s is missing; write %s", strings.Replace(what, "url", "URL", 1), forExample[name])
	}
	return fault.Usage("%s; %s", said, complete.Help(name))
}

// misplaced says what to do with a word behind the flags of bench.
func misplaced(word string) error {
	if isNumber.MatchString(word) {
		return fault.Usage("%s is no URL; if it is hey's -q %s, a rate, write --rate %s/s: -q is quiet here", word, word, word)
	}
	return fault.Usage("%s stands behind a flag; write all URLs first", flags.Quote(linger.WithoutUser(word)))
}

// noVerb says what to do with a word that is no verb.
func noVerb(word string, line complete.Line) string {
	near, verbs := line.MeantVerb(word)
	if len(near) > 0 {
		return fmt.Sprintf("unknown verb %s; did you mean linger %s? linger --help lists them", word, strings.Join(near, " or "))
	}
	if _, err := os.Stat(word); err == nil {
		switch ending := strings.ToLower(filepath.Ext(word)); {
		case rig.IsHAR(word) || ending == ".trace":
			return fmt.Sprintf("what is to be done with %s? linger report %s draws it", word, flags.Quote(word))
		case slices.Contains([]string{".pcap", ".pcapng", ".cap", ".gz", ".zst"}, ending):
			return fmt.Sprintf("what is to be done with %s? linger inspect %s finds why its connections were opened", word, flags.Quote(word))
		}
	}
	if flags.IsURL(word) || flags.IsPlace(word) {
		return fmt.Sprintf("what is to be done with %[1]s? linger get %[1]s fetches it, linger compare %[1]s measures strategies, linger probe %[1]s its server", flags.Quote(linger.WithoutUser(word)))
	}
	return fmt.Sprintf("unknown verb %s; known: %s", word, strings.Join(verbs, ", "))
}
