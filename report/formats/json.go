package formats

import (
	"encoding/json"
	"io"

	"linger/keepalive"
	"linger/profile"
	"linger/report"
	"linger/report/words"
)

// ReuseJSON writes what get --at found.
func ReuseJSON(w io.Writer, f report.Reuses) error {
	return indented(w, f)
}

// ChainJSON writes what was found of a chain.
func ChainJSON(w io.Writer, c keepalive.Chain) error {
	return indented(w, words.OfChain(c))
}

// ProfileJSON writes the document; docs/probe.md describes it.
func ProfileJSON(w io.Writer, p *profile.Profile) error { return indented(w, words.OfProfile(p)) }

// SurveyJSON writes what became of each line of a list, as an array.
func SurveyJSON(w io.Writer, s []profile.Probed) error { return indented(w, words.OfProbed(s)) }

// CasesJSON writes the list of cases.
func CasesJSON(w io.Writer, cases []profile.Case) error { return indented(w, cases) }

func indented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
