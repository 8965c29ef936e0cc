package formats

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"linger"
	"linger/compare"
	"linger/internal/results"
)

func TestJSONReadsBack(t *testing.T) {
	for _, name := range []string{"gallery", "doubtful", "live", "nothing", "secure", "https", "stopped", "lossy", "refused", "dns"} {
		var b bytes.Buffer
		want := findings(t, name)
		if err := CompareJSON(&b, want, nil, "1.2.3"); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Linger string
			compare.Findings
		}
		if err := json.Unmarshal(b.Bytes(), &got); err != nil || got.Linger != "1.2.3" || !reflect.DeepEqual(got.Findings, want) {
			t.Errorf("%s: %v, %+v", name, err, got)
		}
		if !strings.HasPrefix(b.String(), "{\n  \"format\": \"linger comparison 3\",\n  \"linger\": \"1.2.3\",\n  \"workload\"") {
			t.Errorf("%s begins %.40q", name, b.String())
		}
	}
}

func TestCSVHasEveryFigure(t *testing.T) {
	filled := map[string]bool{}
	for name, rows := range map[string]int{"gallery": 7, "secure": 9, "refused": 4, "dns": 4, "doubtful": 4} {
		var b bytes.Buffer
		f := findings(t, name)
		if name == "refused" { // as of a server of the user's own
			f.Rows[0].Resident = compare.Resident{ServerPeak: linger.Known(2e6), ServerLeft: linger.Known(1e6)}
		}
		if err := CompareCSV(&b, f, nil); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(lines) != 1+rows {
			t.Fatal(lines, err)
		}
		for _, line := range lines[1:] {
			for i, v := range line {
				filled[lines[0][i]] = filled[lines[0][i]] || v != ""
			}
		}
	}
	for _, f := range figuresOf(compare.Row{}, linger.SchemeDNS) {
		if !filled[f.Name] && !strings.HasPrefix(f.Name, "dns.idle_limit") && !strings.HasPrefix(f.Name, "dns.closed") && !strings.HasSuffix(f.Name, "bytes_from") {
			t.Errorf("%s is empty in every row, though it is known in some", f.Name)
		}
	}
}

func findings(t testing.TB, name string) compare.Findings { return results.Findings(t, "../..", name) }

func files(t testing.TB) map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{
		"gallery.json": func(w io.Writer) error { return CompareJSON(w, findings(t, "gallery"), nil, "0.1.0") },
		"secure.csv":   func(w io.Writer) error { return CompareCSV(w, findings(t, "secure"), nil) },
		"dns.csv":      func(w io.Writer) error { return CompareCSV(w, findings(t, "dns"), nil) },
		"doubtful.csv": func(w io.Writer) error { return CompareCSV(w, findings(t, "doubtful"), nil) },
	}
}

func TestGolden(t *testing.T) {
	for name, write := range files(t) {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			results.Golden(t, name, b.String())
			for _, bad := range []string{"NaN", "Inf", "%!", "null", "\x1b", "\t", "\r"} {
				if strings.Contains(b.String(), bad) {
					t.Errorf("%q is written", bad)
				}
			}
		})
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAFullDiskIsAnError(t *testing.T) {
	for name, write := range files(t) {
		if write(broken{}) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
