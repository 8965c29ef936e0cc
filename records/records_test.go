package records

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linger"
	"linger/trace"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)

// fill sets all that v has to values that differ from each other and from nothing, or, by luck, some
// of it: what may be none is there or not.
func fill(v reflect.Value, n *int64, luck *rand.Rand) {
	*n++
	there := luck == nil || luck.IntN(2) == 0
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n, luck)
	case reflect.Bool:
		v.SetBool(there)
	case reflect.Int, reflect.Int64:
		if there {
			v.SetInt(*n*1_000 + 7)
		}
	case reflect.Float64:
		v.SetFloat(float64(*n) / 8)
	case reflect.String:
		if there {
			v.SetString(fmt.Sprintf("%d \"<\u2028>", *n))
		}
	case reflect.Slice:
		if there {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fill(v.Index(0), n, luck)
			fill(v.Index(1), n, luck)
		}
	case reflect.Struct:
		if o, ok := v.Addr().Interface().(reflected); ok {
			if value, known := o.Reflect(there); known {
				fill(reflect.ValueOf(value).Elem(), n, luck)
			}
			return
		}
		if v.Type() == moment {
			v.Set(reflect.ValueOf(began.Add(time.Duration(*n))))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n, luck)
		}
	default:
		panic(v.Type().String())
	}
}

// read returns the rows of a file.
func read(t testing.TB, file []byte) (all []Row, of Recording) {
	t.Helper()
	r, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Read(func(one *Row) error { all = append(all, *one); return nil }); err != nil {
		t.Fatal(err)
	}
	return all, r.Recording
}

// Each field of each record comes back as it was, whether there is a value or not.
func TestRoundTrip(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	w.Begin(trace.Stream{Engine: "capture", Provenance: trace.Observed, Began: began, At: trace.AtServer, Files: []string{"a.pcap"}})
	luck := rand.New(rand.NewPCG(1, 2))
	n := int64(0)
	var want []Row
	for i := range 300 {
		var one Row
		with := luck
		if i < 5 {
			with = nil
		}
		one.Record = []string{OfConnection, OfExchange, OfTurn, OfCause, OfFinding}[i%5]
		switch one.Record {
		case OfConnection:
			fill(reflect.ValueOf(&one.Connection).Elem(), &n, with)
		case OfExchange:
			fill(reflect.ValueOf(&one.Exchange).Elem(), &n, with)
		case OfTurn:
			fill(reflect.ValueOf(&one.Turn).Elem(), &n, with)
		case OfCause:
			fill(reflect.ValueOf(&one.Cause).Elem(), &n, with)
		case OfFinding:
			fill(reflect.ValueOf(&one.Finding).Elem(), &n, with)
		}
		if i%2 == 0 {
			one.At = linger.Known(began.Add(time.Duration(i)))
		}
		if err := w.write(one); err != nil {
			t.Fatal(err)
		}
		want = append(want, one)
	}
	end := Recording{Linger: "test", Ended: 12345, Filtered: 3}
	end.Files = []string{"a.pcap"}
	if err := w.Close(end); err != nil {
		t.Fatal(err)
	}
	got, of := readUnchecked(t, b.Bytes())
	if diff := cmp.Diff(want, got, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		t.Error(diff)
	}
	if of.Ended != 12345 || of.Filtered != 3 || of.Format != Format || !of.Began.Equal(began) || of.At != trace.AtServer {
		t.Errorf("it says of itself %+v", of)
	}
}

// readUnchecked is read of rows that no recording could have.
func readUnchecked(t *testing.T, file []byte) (all []Row, of Recording) {
	t.Helper()
	r, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	r.unchecked = true
	if err := r.Read(func(one *Row) error { all = append(all, *one); return nil }); err != nil {
		t.Fatal(err)
	}
	return all, r.Recording
}

// small is a file with a row of each kind.
func small(t testing.TB, rows int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	w.Begin(trace.Stream{Engine: "capture", Provenance: trace.Observed, Began: began})
	for i := range rows {
		c := trace.Connection{ID: int64(i), Client: fmt.Sprintf("192.0.2.1:%d", 1024+i%60000), Server: "192.0.2.2:80", Protocol: linger.HTTP11, Dialled: linger.Instant(i) * 1000, Requests: 1}
		c.Established = linger.Known(c.Dialled + 7)
		e := trace.Exchange{ID: i, Method: "GET", URL: "http://user:word@www.example/a?token=secret", Connection: c.ID, Number: 1, Queued: c.Dialled, Sent: linger.Known(c.Dialled + 9)}
		w.WriteExchange(&e)
		w.WriteConnection(&c)
	}
	if err := w.Close(Recording{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Queries, users and passwords of URLs are in no row.
func TestNoSecrets(t *testing.T) {
	file := small(t, 1)
	rows, _ := read(t, file)
	if got := rows[0].Exchange.URL; got != "http://www.example/a" {
		t.Errorf("the URL is %s", got)
	}
	for _, c := range []struct{ url, want string }{
		{"https://a.example/x#y", "https://a.example/x"}, {"https://me@a.example", "https://a.example"}, {"/x?y", "/x"}, {"", ""},
		{"dns://192.0.2.1/www.example?type=A", "dns://192.0.2.1/www.example?type=A"},
	} {
		if got := bare(c.url); got != c.want {
			t.Errorf("%s: %s, want %s", c.url, got, c.want)
		}
	}
}

// A file that is none, is cut off, or is of somebody else is told in a line.
func TestWrongFiles(t *testing.T) {
	file := small(t, 10)
	for _, c := range []struct {
		name string
		file []byte
	}{
		{"empty", nil}, {"no Parquet", bytes.Repeat([]byte("x"), 100)}, {"cut off", file[:len(file)/2]}, {"a footer too long", append(bytes.Clone(file[:len(file)-8]), 255, 255, 255, 127, 'P', 'A', 'R', '1')},
	} {
		if _, err := Open(bytes.NewReader(c.file), int64(len(c.file))); err == nil {
			t.Errorf("%s: it was read", c.name)
		}
	}
}

// FuzzRead reads whatever comes, without a panic.
func FuzzRead(f *testing.F) {
	f.Add(small(f, 3))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := Open(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		n := 0
		r.Read(func(*Row) error {
			if n++; n > 10_000 {
				return fmt.Errorf("enough")
			}
			return nil
		})
	})
}

// What the columns are is data, from which another writer may be made.
func TestColumns(t *testing.T) {
	all := Columns()
	if len(all) != len(fileSchema().Columns()) {
		t.Fatalf("%d columns, the library has %d", len(all), len(fileSchema().Columns()))
	}
	if b, _ := json.Marshal(all[0]); all[0].Name != "record" || all[0].Null {
		t.Errorf("the first is %s", b)
	}
}

func BenchmarkWrite(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		small(b, 50_000)
	}
	b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkRead(b *testing.B) {
	file := small(b, 50_000)
	b.ReportAllocs()
	for b.Loop() {
		read(b, file)
	}
	b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
