package formats

import (
	"encoding/json"
	"io"

	"linger/keepalive"
	"linger/profile"
	"linger/report/trial"
	"linger/report/words"
)

// ReuseFormat names the document that ReuseJSON writes, and the version of its form.
const ReuseFormat = "linger reuse 2"

// ReuseJSON writes what get --at found.
func ReuseJSON(w io.Writer, f trial.Reuses) error {
	return indented(w, struct {
		Format string `json:"format"`
		trial.Reuses
	}{ReuseFormat, f})
}

// ChainJSON writes what was found of a chain.
func ChainJSON(w io.Writer, c keepalive.Chain) error {
	return indented(w, words.OfChain(c))
}

// ProfileJSON writes the document; docs/probe.md describes it.
func ProfileJSON(w io.Writer, p *profile.Profile) error { return indented(w, words.OfProfile(p)) }

// SurveyJSON writes what became of each line of a list, as an array.
func SurveyJSON(w io.Writer, s []profile.Probed) error {
	type one struct {
		Format string `json:"format"`
		words.ToldProbed
	}
	all := make([]one, 0, len(s))
	for _, p := range words.OfProbed(s) {
		all = append(all, one{profile.ProbedFormat, p})
	}
	return indented(w, all)
}

// CasesJSON writes the list of cases.
func CasesJSON(w io.Writer, cases []profile.Case) error {
	type one struct {
		Format string `json:"format"`
		profile.Case
	}
	all := make([]one, 0, len(cases))
	for _, c := range cases {
		all = append(all, one{profile.CaseFormat, c})
	}
	return indented(w, all)
}

func indented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
