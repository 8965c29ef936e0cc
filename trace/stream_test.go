package trace

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linger"
)

// fill sets all that v has to values that differ from each other and from nothing.
func fill(t *testing.T, v reflect.Value, n *int64) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(*n*1_000_000 + 7)
	case reflect.String:
		v.SetString(fmt.Sprintf("%d \"<\u2028>", *n))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n)
	case reflect.Struct:
		if v.CanInterface() {
			switch o := v.Addr().Interface().(type) {
			case *linger.Opt[linger.Instant]:
				*o = linger.Known(linger.Instant(*n*1_000_000 + 7))
				return
			case *linger.Opt[time.Duration]:
				*o = linger.Known(time.Duration(*n*1_000_000 + 7))
				return
			case *linger.Opt[bool]:
				*o = linger.Known(false)
				return
			case *linger.Opt[int64]:
				*o = linger.Known(*n)
				return
			case *linger.Opt[TLS]:
				*o = filled[TLS](t, n)
				return
			case *linger.Opt[QUIC]:
				*o = filled[QUIC](t, n)
				return
			case *linger.Opt[Flow]:
				*o = filled[Flow](t, n)
				return
			case *linger.Opt[Surplus]:
				*o = filled[Surplus](t, n)
				return
			case *linger.Opt[Probes]:
				*o = filled[Probes](t, n)
				return
			case *linger.Opt[Outstanding]:
				*o = filled[Outstanding](t, n)
				return
			case *linger.Opt[Unanswered]:
				*o = filled[Unanswered](t, n)
				return
			case *linger.Opt[GoAway]:
				*o = filled[GoAway](t, n)
				return
			case *linger.Opt[Between]:
				*o = filled[Between](t, n)
				return
			}
		}
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		t.Fatalf("a %v", v.Type())
	}
}

func filled[T any](t *testing.T, n *int64) linger.Opt[T] {
	var v T
	fill(t, reflect.ValueOf(&v).Elem(), n)
	return linger.Known(v)
}

// whole is a record of each kind in which nothing is left out.
func whole(t *testing.T) (Connection, Exchange) {
	n := int64(0)
	c, _ := filled[Connection](t, &n).Get()
	e, _ := filled[Exchange](t, &n).Get()
	return c, e
}

var streamed = Stream{Engine: "capture", Provenance: Observed, Began: time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC), At: AtServer, Files: []string{"a.pcap", "b.pcap"}}

// written is a file of records, as whoever writes it is done.
func written(t testing.TB, end StreamEnd, records ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewStreamWriter(&b, Source{Linger: "test", Command: "linger inspect a.pcap"}, streamed)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		switch r := r.(type) {
		case Connection:
			err = w.WriteConnection(&r)
		case Exchange:
			err = w.WriteExchange(&r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(end); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// readStream reads what can be read of a stream.
func readStream(b []byte) (StreamHeader, []any, StreamEnd, error) {
	f, err := Open(bytes.NewReader(b))
	if err != nil {
		return StreamHeader{}, nil, StreamEnd{}, err
	}
	r, err := f.Stream()
	if err != nil {
		return StreamHeader{}, nil, StreamEnd{}, err
	}
	var all []any
	for one, err := range r.Records() {
		switch {
		case err != nil:
			return r.Header, all, r.End, err
		case one.Connection != nil:
			all = append(all, *one.Connection)
		default:
			all = append(all, *one.Exchange)
		}
	}
	return r.Header, all, r.End, nil
}

var asTheyAre = cmp.Options{
	cmp.Comparer(func(a, b linger.Opt[linger.Instant]) bool { return a == b }),
	cmp.Comparer(func(a, b linger.Opt[time.Duration]) bool { return a == b }),
	cmp.Comparer(func(a, b linger.Opt[bool]) bool { return a == b }),
	cmp.Comparer(func(a, b linger.Opt[int64]) bool { return a == b }),
	cmp.Comparer(func(a, b linger.Opt[Flow]) bool { return a == b }),
	cmp.Comparer(func(a, b linger.Opt[QUIC]) bool { return a == b }),
	cmp.Comparer(func(a, b linger.Opt[Probes]) bool { return a == b }),
	cmp.Comparer(func(a, b linger.Opt[Outstanding]) bool { return a == b }),
	cmp.Comparer(func(a, b linger.Opt[Unanswered]) bool { return a == b }),
	cmp.Comparer(func(a, b linger.Opt[GoAway]) bool { return a == b }),
	cmp.Comparer(func(a, b linger.Opt[Between]) bool { return a == b }),
	cmp.Comparer(func(a, b linger.Opt[Surplus]) bool { return a == b }),
	cmp.Comparer(func(a, b linger.Opt[TLS]) bool { return reflect.DeepEqual(a, b) }),
}

// What was written is read: every field of a record, its nanoseconds too.
func TestAStreamIsReadAsItWasWritten(t *testing.T) {
	c, e := whole(t)
	bare, unsent := Connection{ID: MaxID}, Exchange{Connection: -1, Queued: -5}
	file := written(t, StreamEnd{Ended: 3_000_000_000_000_000_001, Lost: 3, Interrupted: true}, e, c, unsent, bare)
	h, got, end, err := readStream(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{e, c, unsent, bare}, got, asTheyAre); diff != "" {
		t.Error(diff)
	}
	if end != (StreamEnd{Connections: 2, Exchanges: 2, Ended: 3_000_000_000_000_000_001, Lost: 3, Interrupted: true}) {
		t.Errorf("the end is %+v", end)
	}
	want := StreamHeader{"linger-trace", FileVersion, Source{Kind: KindStream, Linger: "test", Command: "linger inspect a.pcap"}, streamed}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("the header is %+v", h)
	}
}

// thin takes a part of what v has away.
func thin(random *rand.Rand, v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case random.IntN(3) == 0:
			f.SetZero()
		case f.Kind() == reflect.Struct && f.NumField() > 0 && f.Type().Field(0).IsExported():
			thin(random, f)
		case f.Kind() == reflect.Slice && f.Len() > 0 && f.Index(0).Kind() == reflect.Struct:
			thin(random, f.Index(0))
		}
	}
}

func thinned[T any](random *rand.Rand, o linger.Opt[T]) linger.Opt[T] {
	v, ok := o.Get()
	if !ok {
		return o
	}
	thin(random, reflect.ValueOf(&v).Elem())
	return linger.Known(v)
}

// letters is a text of all kinds of them, some of which are none.
func letters(random *rand.Rand) string {
	all := []string{"a", "<&>", "\"", "\\", "\u2028", "é", "\x00", "\x1f", "\x7f", "\xff", "😀", "\t"}
	out := ""
	for range random.IntN(5) {
		out += all[random.IntN(len(all))]
	}
	return out
}

// Records are written as encoding/json writes them, to the byte, and both read the same
// in what either wrote.
func TestRecordsAreJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 5000 {
		c, e := whole(t)
		if n > 0 {
			thin(random, reflect.ValueOf(&c).Elem())
			thin(random, reflect.ValueOf(&e).Elem())
			c.TLS, c.QUIC, c.Up, c.Probes = thinned(random, c.TLS), thinned(random, c.QUIC), thinned(random, c.Up), thinned(random, c.Probes)
			c.Outstanding, c.Unanswered = thinned(random, c.Outstanding), thinned(random, c.Unanswered)
		}
		c.Reason, e.URL = letters(random), "http://h/"+letters(random)
		for _, one := range []Record{{Connection: &c}, {Exchange: &e}} {
			var b bytes.Buffer
			j := json.NewEncoder(&b)
			j.SetEscapeHTML(false)
			if err := j.Encode(one); err != nil {
				t.Fatal(err)
			}
			// Within an Opt encoding/json escapes for HTML, whatever it is told.
			want := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(strings.TrimSuffix(b.String(), "\n"))
			got := `{"connection":` + string(write(nil, &c, tables().connection)) + "}"
			if one.Exchange != nil {
				got = `{"exchange":` + string(write(nil, &e, tables().exchange)) + "}"
			}
			if got != want {
				t.Fatalf("wrote\n%s\nand encoding/json writes\n%s", got, want)
			}
			var plain Record
			if err := json.Unmarshal([]byte(want), &plain); err != nil {
				t.Fatal(err)
			}
			read, _, err := recordOf([]byte(want))
			if diff := cmp.Diff(plain, read, asTheyAre); err != nil || diff != "" {
				t.Fatalf("%s is read as %s, %v", want, diff, err)
			}
		}
	}
}

// What is no JSON, or no record, is refused, and never more than the line is looked at.
func TestLinesThatAreNoRecords(t *testing.T) {
	for _, line := range []string{
		"", " ", "{", "}", "[]", "7", "null", `"connection"`, `{"connection"}`, `{"connection":}`, `{"connection":{}`, `{"connection":{"id"}}`, `{"connection":{"id":}}`,
		`{"connection":{"id":1,}}`, `{"connection":{,"id":1}}`, `{"connection":{"id":1 "client":"a"}}`, `{"connection":{"client":"a}}`, `{"connection":{"client":"a\`, `{"connection":{"client":"\x"}}`,
		`{"connection":{"id":+1}}`, `{"connection":{"id":1.5}}`, `{"connection":{"id":"1"}}`, `{"connection":{"id":{}}}`, `{"connection":{"id":tru}}`, `{"connection":{"still_open":1}}`, `{"connection":{"fast_open":"true"}}`,
		`{"connection":{"known":7}}`, `{"connection":{"tls":[]}}`, `{"connection":{"tls":{"alpn_offered":{}}}}`, `{"connection":{"tls":{"alpn_offered":["a"}}}}`, `{"connection":{"dialled_us":[1]}}`, `{"connection":{"mood":[1}}`,
		`{"connection":{"mood":[}]}`, `{"connection":{"mood":"a`, `{"connection":{"mood":,}}`, `{"connection":{"mood":]}}`, `{"connection":{}}x`, `{"connection":{}}{}`, `{"connection":{},"exchange":{}}`, `{"end":{},"exchange":{}}`, `{"exchange":{"earlier":[7]}}`,
	} {
		if one, end, err := recordOf([]byte(line)); err == nil {
			t.Errorf("%s is %+v, %+v", line, one, end)
		}
	}
	for _, line := range []string{`{}`, `{"weather":{"a":[1,{"b":"\"}"}],"c":null}}`, " { \t} \r\n"} {
		if one, end, err := recordOf([]byte(line)); err != nil || end != nil || one != (Record{}) {
			t.Errorf("%s is %+v, %+v, %v", line, one, end, err)
		}
	}
	one, _, err := recordOf([]byte(` { "connection" : { "mood" : [ { } , [ ] , -1e5 , true ] , "id" : 7 , "tls" : null , "known" : null , "client" : null , "syn_us" : null , "missing_bytes" : null } , "more" : 1 } `))
	if err != nil || !reflect.DeepEqual(one.Connection, &Connection{ID: 7}) {
		t.Errorf("%+v, %v", one.Connection, err)
	}
}

// The example in docs/report.md is what is read, and what is written of that.
func TestTheStreamOfTheDocument(t *testing.T) {
	b, err := os.ReadFile("../docs/report.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), `    {"format":"linger-trace","version":2,"kind":"stream"`)
	text, _, ok2 := strings.Cut(text, "\n\n")
	if !ok || !ok2 {
		t.Fatal("docs/report.md has no stream")
	}
	lines := `{"format":"linger-trace","version":2,"kind":"stream"` + strings.ReplaceAll(text, "\n    ", "\n") + "\n"
	h, all, end, err := readStream(zip(lines))
	if err != nil || len(all) != 2 {
		t.Fatalf("%d records, %v", len(all), err)
	}
	var file bytes.Buffer
	w, err := NewStreamWriter(&file, h.Source, h.Stream)
	if err != nil {
		t.Fatal(err)
	}
	x, c := all[0].(Exchange), all[1].(Connection)
	if err := errors.Join(w.WriteExchange(&x), w.WriteConnection(&c), w.Close(end)); err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(&file)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || string(got) != lines {
		t.Errorf("%v: the document has\n%s\nand this is written\n%s", err, lines, got)
	}
}

// A record names nothing that is not known, and no two facts have the same name.
func TestRecordsInJSON(t *testing.T) {
	b, err := json.Marshal(Record{Connection: &Connection{ID: 1}})
	if want := `{"connection":{"id":1,"dialled_us":0,"requests":0}}`; err != nil || string(b) != want {
		t.Errorf("%s, %v; want %s", b, err, want)
	}
	b, err = json.Marshal(Record{Exchange: &Exchange{Connection: -1}})
	if want := `{"exchange":{"id":0,"method":"","url":"","connection":-1,"attempts":0,"queued_us":0,"request_head":0,"request_body":0,"response_head":0,"response_body":0}}`; err != nil || string(b) != want {
		t.Errorf("%s, %v; want %s", b, err, want)
	}
	c, e := whole(t)
	for _, v := range []any{c, e} {
		b, err := json.Marshal(v)
		var m map[string]any
		if err != nil || json.Unmarshal(b, &m) != nil {
			t.Fatal(err)
		}
		if n := reflect.TypeOf(v).NumField(); len(m) != n {
			t.Errorf("%d names of %d facts: %s", len(m), n, b)
		}
	}
}

// Wherever a file is cut, what stands before is read, and the end is missed.
func TestAStreamThatIsCutOff(t *testing.T) {
	var records []any
	for i := range 90 {
		records = append(records, Exchange{ID: i, Connection: int64(i / 3), Method: "GET", URL: fmt.Sprintf("http://origin/%d", i*i*7919)})
		if i%3 == 2 {
			records = append(records, Connection{ID: int64(i / 3), Dialled: linger.Instant(i * 12_345)})
		}
	}
	file := written(t, StreamEnd{}, records...)
	most := 0
	for n := range len(file) {
		h, got, end, err := readStream(file[:n])
		if h.Kind == KindStream && !errors.Is(err, ErrCutOff) || err == nil || end.Connections+end.Exchanges != int64(len(got)) {
			t.Fatalf("%d of %d bytes: %d records, %+v, %v", n, len(file), len(got), end, err)
		}
		if len(got) < most || len(got) > len(records) || !reflect.DeepEqual(got, records[:len(got)]) && len(got) > 0 {
			t.Fatalf("%d of %d bytes: %d records, and %d before", n, len(file), len(got), most)
		}
		most = len(got)
	}
	if most != len(records) {
		t.Errorf("%d of %d records without the checksum", most, len(records))
	}
}

// What was flushed is read, whatever becomes of the program that writes.
func TestFlushedRecordsAreRead(t *testing.T) {
	var b bytes.Buffer
	w, err := NewStreamWriter(&b, Source{}, streamed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, got, _, err := readStream(b.Bytes()); !errors.Is(err, ErrCutOff) || len(got) != i {
			t.Fatalf("%d records of %d, %v", len(got), i, err)
		}
		if err := errors.Join(w.WriteConnection(&Connection{ID: int64(i)}), w.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	const want = "it is cut off after 5 connections and 0 exchanges"
	if _, _, _, err := readStream(b.Bytes()); err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}

const (
	streamHeader = `{"format":"linger-trace","version":2,"kind":"stream","engine":"capture","provenance":"observed"}` + "\n"
	oneOfEach    = `{"exchange":{"id":0,"connection":0}}` + "\n" + `{"connection":{"id":0}}` + "\n"
	streamsEnd   = `{"end":{"connections":1,"exchanges":1,"ended_us":5}}` + "\n"
)

func TestForeignStreams(t *testing.T) {
	if _, got, _, err := readStream(zip(streamHeader + oneOfEach + streamsEnd)); err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	in := func(old, new string) []byte {
		return zip(strings.Replace(streamHeader+oneOfEach+streamsEnd, old, new, 1))
	}
	names := strings.Repeat(`"a",`, maxNames) + `"b"`
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"trials", zip(header + trial + end), "it holds trials"},
		{"a stream of version 1, which had none", in(`"version":2`, `"version":1`), "it holds trials"},
		{"a header of another shape", in(`"engine":"capture"`, `"engine":7`), "its first line cannot be read"},
		{"no end", zip(streamHeader + oneOfEach), "cut off after 1 connections and 1 exchanges"},
		{"half a line", zip(streamHeader + oneOfEach[:50]), "cut off after 0 connections and 1 exchanges"},
		{"an end that counts otherwise", in(`"connections":1`, `"connections":2`), "it ends after 1 connections and 1 exchanges, and says that there are 2 and 1"},
		{"an end with less than none", in(`"connections":1`, `"connections":-1`), "says that there are -1"},
		{"less than no losses", in(`"ended_us":5`, `"ended_us":5,"lost":-1`), "a stream that ends there"},
		{"more behind the end", zip(streamHeader + oneOfEach + streamsEnd + oneOfEach), "something stands behind its end"},
		{"no JSON", zip(streamHeader + "nonsense\n"), "the line after 0 connections and 0 exchanges is wrong"},
		{"a record of another shape", in(`{"id":0,"connection":0}`, `[]`), "the line after 0 connections and 0 exchanges is wrong"},
		{"a number below all", in(`{"connection":{"id":0}`, `{"connection":{"id":-1}`), "its number -1 is none"},
		{"a number that JavaScript has not", in(`{"connection":{"id":0}`, `{"connection":{"id":9007199254740992}`), "its number 9007199254740992 is none"},
		{"a number beyond all integers", in(`{"connection":{"id":0}`, `{"connection":{"id":99999999999999999999}`), "id: \"99999999999999999999\" is no whole number"},
		{"no such connection", in(`"connection":0`, `"connection":-2`), "no connection has the number -2"},
		{"less than no requests", in(`{"connection":{"id":0}`, `{"connection":{"id":0,"requests":-1}`), "less than nothing"},
		{"less than no packets", in(`{"connection":{"id":0}`, `{"connection":{"id":0,"up":{"packets":-1}}`), "a count of packets"},
		{"more bytes than a link carries", in(`{"connection":{"id":0}`, `{"connection":{"id":0,"down":{"payload_bytes":9000000000000000000}}`), "a count of packets"},
		{"less than no probes", in(`{"connection":{"id":0}`, `{"connection":{"id":0,"probes":{"sent":-1}}`), "less than nothing"},
		{"a frame before the first", in(`{"connection":{"id":0}`, `{"connection":{"id":0,"frames":{"first":-1}}`), "less than nothing"},
		{"a certificate of too many names", in(`{"connection":{"id":0}`, `{"connection":{"id":0,"tls":{"certificate_names":[`+names+`]}}`), "more than 1000 names"},
		{"an instant far away", in(`{"connection":{"id":0}`, `{"connection":{"id":0,"syn_us":9000000000000000}`), "an instant is out of bounds"},
		{"an instant in words", in(`{"connection":{"id":0}`, `{"connection":{"id":0,"syn_us":"soon"}`), "syn_us: neither a number"},
		{"less than no bytes", in(`"connection":0`, `"connection":0,"request_body":-1`), "it has -1 bytes"},
		{"too many attempts", in(`"connection":0`, `"connection":0,"earlier":[`+strings.Repeat(`{},`, maxAttempts)+`{}]`), "1002 attempts"},
		{"an attempt on no connection", in(`"connection":0`, `"connection":0,"earlier":[{"connection":-7}]`), "an attempt is out of bounds"},
	} {
		_, _, _, err := readStream(test.file)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want %q", test.name, err, test.want)
		}
	}
	if _, _, err := ReadExperiment(bytes.NewReader(zip(streamHeader + streamsEnd))); err == nil || !strings.Contains(err.Error(), "holds no trials") {
		t.Error(err)
	}
	whole := written(t, StreamEnd{}, Connection{})
	whole[len(whole)-6] ^= 1
	if _, got, _, err := readStream(whole); err == nil || !strings.Contains(err.Error(), "it is broken after 1 connections and 0 exchanges") || len(got) != 1 {
		t.Errorf("a wrong checksum: %d, %v", len(got), err)
	}
}

// Fields and kinds of lines that come later are passed over, and what an exchange does
// not say of its connection is not known.
func TestWhatIsAddedToStreamsIsIgnored(t *testing.T) {
	b := zip(streamHeader + `{"weather":{"connection":1}}` + "\n" + `{"exchange":{"mood":[1],"id":4}}` + "\n" + `{"end":{"connections":0,"exchanges":1}}` + "\n")
	if _, got, _, err := readStream(b); err != nil || len(got) != 1 || got[0].(Exchange).ID != 4 || got[0].(Exchange).Connection != -1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A writer writes nothing that no reader would take.
func TestRecordsThatAreNoneAreRefused(t *testing.T) {
	var b bytes.Buffer
	w, err := NewStreamWriter(&b, Source{}, streamed)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteConnection(&Connection{ID: -1}); err == nil {
		t.Error("a connection of the number -1")
	}
	if err := w.WriteExchange(&Exchange{Connection: MaxID + 1}); err == nil {
		t.Error("an exchange on what can be no connection")
	}
	if err := w.Close(StreamEnd{Connections: 7}); err != nil {
		t.Fatal(err)
	}
	if _, got, end, err := readStream(b.Bytes()); err != nil || len(got) != 0 || end != (StreamEnd{}) {
		t.Errorf("%v, %+v, %v", got, end, err)
	}
}

// A line that is much larger than its compressed bytes is not held.
func TestABombInAStreamIsRefused(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(streamHeader + `{"connection":{"id":0,"reason":"`)
	b.Write(bytes.Repeat([]byte("0"), 16*maxRecord))
	b.WriteString(`"}}` + "\n")
	var before, after runtime.MemStats
	file := zip(b.String())
	runtime.ReadMemStats(&before)
	_, _, _, err := readStream(file)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "longer than 1 MB") {
		t.Error(err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 8*maxRecord {
		t.Errorf("%d bytes were taken", took)
	}
}

// A trial is a stream in the order in which things ended.
func TestRecordsOfATrace(t *testing.T) {
	in, _ := harTrace()
	in.Connections[0].Closed = at(300)
	in.Exchanges[3].Done = linger.Opt[linger.Instant]{}
	var got []string
	for one := range in.Records() {
		if c := one.Connection; c != nil {
			got = append(got, fmt.Sprintf("connection %d", c.ID))
		} else {
			got = append(got, fmt.Sprintf("exchange %d: %d of %d", one.Exchange.ID, one.Exchange.Number, one.Exchange.Connection))
		}
	}
	want := []string{"exchange 0: 1 of 0", "exchange 2: 2 of 0", "connection 0", "exchange 1: 1 of 1", "exchange 3: 0 of -1", "connection 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if in.Exchanges[0].Number != 0 {
		t.Error("the trace itself was changed")
	}
	for range in.Records() {
		break // whoever has seen enough
	}
}

// busy is the i-th connection of a stream, and an exchange on it.
func busy(i int) (Connection, Exchange) {
	at := func(ms int) linger.Opt[linger.Instant] {
		return linger.Known(linger.Instant(i)*1_234_567 + linger.Instant(ms)*1_003_001)
	}
	c := Connection{
		ID: int64(i), Client: fmt.Sprintf("10.%d.%d.%d:%d", i>>16&255, i>>8&255, i&255, 32768+i*7919%28000), Server: "192.0.2.1:443", Origin: "www.example", Protocol: "http/1.1",
		Known: Basis{Origin: Seen, Protocol: Announced, Requests: Inferred}, Dialled: at(0).Or(0), SYN: at(0), SYNACK: at(20), Established: at(21), Secured: at(43), FirstByte: at(22), LastByte: at(90),
		Closed: at(5090), ClosedBy: AtServer, ClosedWith: FIN, Released: at(5111), TLS: linger.Known(TLS{ServerName: "www.example", Version: "1.3", ALPN: "http/1.1", Cipher: "TLS_AES_128_GCM_SHA256", Resumed: i%2 == 0}),
		Requests: 1 + i%3, Up: linger.Known(Flow{Packets: 12, Header: 624, Payload: 1400, SYN: 1, FIN: 1}), Down: linger.Known(Flow{Packets: 15, Header: 780, Payload: int64(i * 7919 % 20000), SYN: 1, FIN: 1}),
		Frames: Frames{First: int64(i)*27 + 1, Last: int64(i)*27 + 40},
	}
	x := Exchange{
		ID: i, Method: "GET", URL: fmt.Sprintf("https://www.example/images/%d.png", i%5000), Connection: c.ID, Number: 1, Attempts: 1, Known: Inferred, Status: 200,
		Asked: Said{Version: "1.1"}, Answered: Said{Version: "1.1", Connection: "keep-alive", KeepAlive: "timeout=5"}, ContentType: "image/png",
		Queued: at(43).Or(0), Sent: at(44), FirstByte: at(66), Done: at(90), RequestHead: 350, ResponseHead: 240, ResponseBody: int64(i * 7919 % 20000), Frames: Frames{First: int64(i)*27 + 8, Last: int64(i)*27 + 30},
	}
	return c, x
}

// stream writes and reads so many connections, with so many exchanges on each, as
// through a pipe, and returns the bytes of the file and the largest heap that was seen.
func stream(t testing.TB, connections, exchanges int) (size int64, heap uint64) {
	t.Helper()
	look := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		heap = max(heap, m.HeapInuse)
	}
	in, out := io.Pipe()
	wrote := make(chan error, 1)
	go func() {
		count := &counter{w: out}
		w, err := NewStreamWriter(count, Source{}, streamed)
		for i := 0; i < connections && err == nil; i++ {
			c, x := busy(i)
			for n := range exchanges {
				x.ID, x.Number = i*exchanges+n, n+1
				err = errors.Join(err, w.WriteExchange(&x))
			}
			err = errors.Join(err, w.WriteConnection(&c))
		}
		if err == nil {
			err = w.Close(StreamEnd{})
		}
		size = count.n
		out.CloseWithError(err)
		wrote <- err
	}()
	f, err := Open(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Stream()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%5000 == 0 {
			look()
		}
	}
	if err := <-wrote; err != nil || r.End.Connections != int64(connections) || r.End.Exchanges != int64(connections*exchanges) {
		t.Fatalf("%+v, %v", r.End, err)
	}
	return size, heap
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return c.w.Write(b)
}

// Neither side of a stream holds what has passed.
func TestAStreamTakesConstantMemory(t *testing.T) {
	connections := 50_000
	if testing.Short() {
		connections = 10_000
	}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	size, heap := stream(t, connections, 1)
	grown := int64(heap) - int64(before.HeapInuse)
	t.Logf("%d bytes a record, the heap grew by %d kB", size/int64(2*connections), grown>>10)
	if grown > 16<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

// BenchmarkStream writes and reads a million connections with one exchange each; with
// LINGER_STREAM_EXCHANGES=4 so many.
func BenchmarkStream(b *testing.B) {
	const connections = 1_000_000
	exchanges := 1
	if n := os.Getenv("LINGER_STREAM_EXCHANGES"); n != "" {
		if _, err := fmt.Sscan(n, &exchanges); err != nil {
			b.Fatal(err)
		}
	}
	records := float64(connections * (1 + exchanges))
	for b.Loop() {
		size, heap := stream(b, connections, exchanges)
		b.ReportMetric(float64(size)/records, "B/record")
		b.ReportMetric(float64(heap)/1e6, "heap-MB")
	}
	b.ReportMetric(records*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(resident(b), "peak-MB")
}

// resident is the most memory that this process has held, in MB; 0 where the system does
// not tell.
func resident(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kB float64
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		b.Fatal(err)
	}
	return kB / 1e3
}
