package complete

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"linger"
	"linger/audit/predict"
	"linger/compare/assertion"
	"linger/compare/capacity"
	"linger/conformance"
	"linger/keepalive"
	"linger/origin/misbehave"
)

// arguments are what a verb takes besides flags.
func (l Line) arguments(verb, typed string) Answer {
	var c Answer
	switch verb {
	case "compare", "sweep", "serve", "get":
		c = begins(typed, linger.Workloads())
	case "completion":
		c = begins(typed, plainWords(Shells...))
	case "help":
		c = begins(typed, l.verbs())
	}
	c.Files = slices.Contains([]string{"compare", "sweep", "serve", "report", "inspect", "tune"}, verb)
	return c
}

func plainWords(words ...string) (out []linger.Form) {
	for _, w := range words {
		out = append(out, linger.Form{Name: w})
	}
	return out
}

// values are what a flag's value may be.
func (l Line) values(f Flag, verb, typed string) Answer {
	switch f.Name {
	case "strategies":
		return listed(typed, strategiesLike)
	case "ladder":
		c := listed(typed, strategiesLike)
		c.Words = append(c.Words, begins(typed, plainWords("all")).Words...)
		return c
	case "strategy":
		return Answer{Words: strategiesLike(typed), More: true}
	case "output":
		return endingsOf(f.Help, typed)
	case "network":
		var names []linger.Form
		for _, n := range linger.Networks() {
			names = append(names, linger.Form{Name: n.Name, About: fmt.Sprintf("%v round trip, %v down", n.RTT, n.Down)})
		}
		if verb == "compare" || verb == "sweep" {
			return listed(typed, among(names))
		}
		return begins(typed, names)
	case "on":
		return listed(typed, among([]linger.Form{{Name: "lab", About: "the emulated network"}, {Name: "live", About: "the network that there is"}, {Name: "sim", About: "predicted"}}))
	case "balance":
		var names []linger.Form
		for _, b := range linger.Balances {
			names = append(names, linger.Form{Name: string(b)})
		}
		return begins(typed, names)
	case "browser":
		return listed(typed, among(plainWords(l.Clients...)))
	case "only", "skip":
		cases := plainWords(string(linger.HTTP11), string(linger.H2), string(linger.H3), string(linger.TLS))
		for _, c := range conformance.Cases() {
			cases = append(cases, linger.Form{Name: c.ID})
		}
		return listed(typed, among(cases))
	case "misbehave":
		var names []linger.Form
		for _, m := range misbehave.Kinds() {
			names = append(names, linger.Form{Name: m.Name})
		}
		return begins(typed, names)
	case "assert":
		c := begins(typed, plainWords(assertable()...))
		c.More = true
		return c
	case "what-if":
		return listed(typed, among(plainWords(predict.Words()...)))
	case "scheme":
		return begins(typed, plainWords(linger.SchemeHTTP, linger.SchemeHTTPS))
	case "software":
		return begins(typed, plainWords(keepalive.Settled()...))
	case "serve": // of lab
		c := begins(typed, linger.Workloads())
		c.Files = true
		return c
	}
	if len(f.Enum) > 0 {
		return begins(typed, plainWords(f.Enum...))
	}
	return Answer{Files: f.File}
}

// among are those of some words that begin as typed.
func among(words []linger.Form) func(typed string) []linger.Form {
	return func(typed string) []linger.Form { return begins(typed, slices.Clone(words)).Words }
}

// listed completes the last part of a list with commas, by words that do not stand in it yet.
func listed(typed string, like func(typed string) []linger.Form) Answer {
	done := typed[:strings.LastIndexByte(typed, ',')+1]
	words := slices.DeleteFunc(like(typed[len(done):]), func(f linger.Form) bool {
		return slices.Contains(strings.Split(done, ","), f.Name)
	})
	return Answer{Words: words, More: true}.behind(done)
}

// strategiesLike are strategies, or behind a + modifiers.
func strategiesLike(typed string) []linger.Form {
	i := strings.LastIndexByte(typed, '+') + 1
	if i == 0 {
		return begins(typed, linger.Forms()).Words
	}
	c := begins(typed[i:], linger.Modifiers())
	return slices.DeleteFunc(c.behind(typed[:i]).Words, func(f linger.Form) bool {
		_, err := linger.ParseStrategy(f.Name)
		return err != nil
	})
}

// fileEnding is one of those that the help of --output lists.
var fileEnding = regexp.MustCompile(`\.[a-z]{3,}\b`)

// endingsOf completes the ending of a file by those that a verb can write.
func endingsOf(help, typed string) Answer {
	c := Answer{Files: true}
	if base := filepath.Base(typed); typed != "" && strings.Contains(base, ".") {
		stem := strings.TrimSuffix(typed, filepath.Ext(typed))
		var words []string
		for _, e := range fileEnding.FindAllString(help, -1) {
			if !slices.Contains(words, stem+e) {
				words = append(words, stem+e)
			}
		}
		c.Words = begins(typed, plainWords(words...)).Words
	}
	return c
}

// assertable are the names that begin an assertion, of every verb.
func assertable() []string {
	words := conformance.Words()
	each, all := assertion.Names()
	rows, crowd := assertion.CrowdNames()
	for _, n := range slices.Concat(each, all, rows, crowd, assertion.TrafficVocabulary().Names, capacity.Names()) {
		if !slices.Contains(words, n.Name) {
			words = append(words, n.Name)
		}
	}
	return words
}
