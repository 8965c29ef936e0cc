package compare

import (
	"strings"
	"testing"
)

// Documents of both versions are read, and of none that is not known.
func TestRead(t *testing.T) {
	const rows = `"linger": "1", "trials": 1, "rows": [{"strategy": "keep", "persistent": true, "trials": 1}]`
	for _, x := range []struct{ document, caveat, wrong string }{
		{`{` + rows + `, "doubts": [{"code": "lateness"}]}`, "lateness", ""},
		{`{"format": "linger comparison 1", ` + rows + `, "doubts": [{"code": "lateness"}]}`, "lateness", ""},
		{`{"format": "linger comparison 2", ` + rows + `, "caveats": [{"code": "bytes"}]}`, "bytes", ""},
		{`{"format": "linger comparison 3", ` + rows + `}`, "", "its format is"},
		{`{"trials": 1}`, "", "names no version"},
		{`{`, "", "unexpected end"},
	} {
		f, err := Read([]byte(x.document))
		switch {
		case x.wrong != "" && (err == nil || !strings.Contains(err.Error(), x.wrong)):
			t.Errorf("%s: %v; want %q", x.document, err, x.wrong)
		case x.wrong == "" && (err != nil || len(f.Caveats) != 1 || f.Caveats[0].Code != x.caveat):
			t.Errorf("%s: %v, %v", x.document, f.Caveats, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"format": "linger comparison 2", "linger": "1", "trials": 1, "rows": [{"strategy": "keep", "trials": 1}], "caveats": [{"code": "bytes"}]}`))
	f.Add([]byte(`{"linger": "1", "doubts": [], "rows": [{"strategy": "", "time_ms": {"median": -1}}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		if found, err := Read(document); err == nil && found.Check() != nil {
			t.Errorf("%s", document)
		}
	})
}
