package profile

import "testing"

func TestSourceOfAStandard(t *testing.T) {
	for standard, want := range map[string]string{
		"RFC 9112, 9.6":                "https://www.rfc-editor.org/rfc/rfc9112#section-9.6",
		"RFC 9113, 6.8; RFC 9110, 9.2": "https://www.rfc-editor.org/rfc/rfc9113#section-6.8",
		"RFC 7828, 3.2.1.":             "https://www.rfc-editor.org/rfc/rfc7828#section-3.2.1",
		"RFC 9110, 5":                  "https://www.rfc-editor.org/rfc/rfc9110#section-5",
		"RFC 7766":                     "https://www.rfc-editor.org/rfc/rfc7766",
		"RFC 9112, Appendix C":         "https://www.rfc-editor.org/rfc/rfc9112",
		"docs/keepalive.md":            "",
		"RFC draft":                    "",
		"":                             "",
	} {
		if got := (Case{Standard: standard}).Source(); got != want {
			t.Errorf("%q: %q; want %q", standard, got, want)
		}
	}
}
