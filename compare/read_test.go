package compare

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Documents of each version are read, and of none that is not known.
func TestRead(t *testing.T) {
	const rows = `"linger": "1", "trials": 1, "rows": [{"strategy": "keep", "persistent": true, "trials": 1}]`
	for _, x := range []struct{ document, caveat, wrong string }{
		{`{` + rows + `, "doubts": [{"code": "lateness"}]}`, "lateness", ""},
		{`{"format": "linger comparison 1", ` + rows + `, "doubts": [{"code": "lateness"}]}`, "lateness", ""},
		{`{"format": "linger comparison 2", ` + rows + `, "caveats": [{"code": "bytes"}]}`, "bytes", ""},
		{`{"format": "linger comparison 3", ` + rows + `, "caveats": [{"code": "bytes"}]}`, "bytes", ""},
		{`{"format": "linger comparison 4", ` + rows + `}`, "", "its format is"},
		{`{"format": "linger comparisons 1", ` + rows + `}`, "", "several networks"},
		{`{"format": "linger comparisons 2", ` + rows + `}`, "", "several networks"},
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

// What version 2 had under other names is found under those of today: it wrote the files of
// testdata/before of experiments that testdata has the findings of.
func TestVersion2IsRead(t *testing.T) {
	for _, name := range []string{"dns", "gallery"} {
		var now Findings
		if err := json.Unmarshal(fileOf(t, name+".json"), &now); err != nil {
			t.Fatal(err)
		}
		was, err := Read(fileOf(t, "before/"+name+"-2.json"))
		if err != nil || len(was.Rows) != len(now.Rows) {
			t.Fatalf("%s: %d rows, %v", name, len(was.Rows), err)
		}
		for i, r := range now.Rows {
			w := was.Rows[i]
			if w.TripsUncertainty != r.TripsUncertainty || w.RequestsUnanswered != r.RequestsUnanswered {
				t.Errorf("%s, %s: %v, %v; want %v, %v", name, r.Strategy, w.TripsUncertainty, w.RequestsUnanswered, r.TripsUncertainty, r.RequestsUnanswered)
			}
			d, e := w.DNS.Or(DNS{}), r.DNS.Or(DNS{})
			if d.Retransmitted != e.Retransmitted || d.Kept != e.Kept {
				t.Errorf("%s, %s: %v, %+v; want %v, %+v", name, r.Strategy, d.Retransmitted, d.Kept, e.Retransmitted, e.Kept)
			}
		}
	}
}

func fileOf(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
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
