package trace

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The files of testdata/v1 were written by the program that had version 1 only, with -o
// NAME.trace: compare textbook --on sim; compare objects:3x2000 --on sim --scheme https
// -s close,keep,h3 --loss 1%; the same in the lab with h2; compare objects:60x2000 -s
// keep:6,close --timeout 4s --rtt 90ms (late); get objects:3x2000 -s h3, and -s keep
// --max-requests 2 (limit); get dns -s dot+keep; and report of a HAR.
func TestFilesOfVersion1AreRead(t *testing.T) {
	for name, want := range map[string]struct {
		trials, still, failures, connections, exchanges int
	}{
		"textbook-sim": {3, 3, 0, 26, 66},
		"https-sim":    {9, 3, 0, 24, 48},
		"https-lab":    {8, 12, 0, 35, 80},
		"late":         {2, 6, 2, 213, 488},
		"get-h3":       {1, 0, 0, 1, 4},
		"get-limit":    {1, 0, 0, 2, 4},
		"get-dot":      {1, 0, 0, 1, 20},
		"har":          {1, 0, 0, 3, 8},
	} {
		f, err := os.Open(filepath.Join("testdata", "v1", name+".trace"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		x, source, err := ReadExperiment(f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := want
		got.trials, got.still, got.failures, got.connections, got.exchanges = 0, 0, 0, 0, 0
		for i := range x.Strategies {
			got.trials += len(x.Traces[i])
			got.still += len(x.ZeroRTT[i])
			got.failures += len(x.Failures[i]) + len(x.ZeroRTTFailures[i])
			for _, one := range append(x.Traces[i], x.ZeroRTT[i]...) {
				got.connections += len(one.Connections)
				got.exchanges += len(one.Exchanges)
				if one.Ended <= 0 || one.Ended > longest {
					t.Errorf("%s: it ended at %v", name, one.Ended)
				}
			}
		}
		if got != want || source.Linger != "dev" || source.Command == "" {
			t.Errorf("%s: %+v of %+v; want %+v", name, got, source, want)
		}
	}
}

// Whatever a file of version 1 says, it says when it is read and written again, too.
func TestNothingOfVersion1IsLost(t *testing.T) {
	names, err := filepath.Glob("testdata/v1/*.trace")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		x, source, err := ReadExperiment(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var now bytes.Buffer
		if err := WriteExperiment(&now, x, source); err != nil {
			t.Fatal(err)
		}
		was, is := linesOf(t, b, true), linesOf(t, now.Bytes(), false)
		if len(was) != len(is) {
			t.Fatalf("%s: %d lines, and %d before", name, len(is), len(was))
		}
		for i := range was {
			if was[i] != is[i] {
				t.Errorf("%s: was\n%s\nand is\n%s", name, was[i], is[i])
			}
		}
		if again, _, err := ReadExperiment(&now); err != nil || len(again.Traces) != len(x.Traces) {
			t.Errorf("%s, written again: %v", name, err)
		}
	}
}

// linesOf are the lines of a file in an order of their own; those of version 1 with the
// names and units of version 2.
func linesOf(t *testing.T, file []byte, first bool) []string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range bytes.Lines(text) {
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber()
		var v map[string]any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		model := v["model"]
		delete(v, "model")
		if first {
			translate(v)
			if v["version"] != nil {
				v["version"] = json.Number("2")
			}
		}
		v["model"] = model
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	slices.Sort(out)
	return out
}

func translate(v any) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			translate(one)
		}
	case map[string]any:
		for old, value := range v {
			translate(value)
			name := old
			if base, ok := strings.CutSuffix(old, "_ns"); ok {
				n, _ := new(big.Int).SetString(value.(json.Number).String(), 10)
				us := new(big.Rat).SetFrac(n, big.NewInt(1000)).FloatString(3)
				name, value = base+"_us", json.Number(strings.TrimSuffix(strings.TrimRight(us, "0"), "."))
			}
			switch old {
			case "local":
				name = "client"
			case "remote":
				name = "server"
			}
			delete(v, old)
			v[name] = value
		}
	}
}

func TestLinesOfVersion1(t *testing.T) {
	for in, want := range map[string]string{
		`{"a_ns":1234567,"b_ns" : -5 , "c_ns":0,"d_ns":-12345}`:       `{"a_us":1234.567,"b_us":-0.005, "c_us":0.000,"d_us":-12.345}`,
		`{"a":"b_ns","local":"x:1","remote":["remote",{"remote":1}]}`: `{"a":"b_ns","client":"x:1","server":["remote",{"server":1}]}`,
		`{"model":{"a_ns":5,"b":[{"local":"}"}]},"e_ns":1000}`:        `{"model":{"a_ns":5,"b":[{"local":"}"}]},"e_us":1.000}`,
		`{"m":{"model":"\"","e_ns":null}}`:                            `{"m":{"model":"\"","e_us":null}}`,
		`{"\\":"a\"_ns","x_ns":7}`:                                    `{"\\":"a\"_ns","x_us":0.007}`,
		`"a_ns"`:                                                      `"a_ns"`,
	} {
		if got, err := fromVersion1([]byte(in)); err != nil || string(got) != want {
			t.Errorf("%s became\n%s, %v; want\n%s", in, got, err, want)
		}
	}
	for _, in := range []string{`{"a_ns":1.5}`, `{"a_ns":"5"}`, `{"a_ns":1e3}`, `{"a_ns":{}}`, `{"a_ns":true}`, `{"a_ns":-}`, `{"a_ns":`, `nonsense`} {
		if got, err := fromVersion1([]byte(in)); err == nil {
			t.Errorf("%s became %s", in, got)
		}
	}
}
