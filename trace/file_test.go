package trace

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"linger"
)

// header is that of one trial of one strategy.
const header = `{"format":"linger-trace","version":1,"kind":"fetch","strategies":[{"name":"keep","connections":1}],"network":{},"trials":1,"seed":1}` + "\n"

const (
	trial = `{"strategy":0,"trace":{"provenance":"measured","engine":"lab","workload":"w","seed":1,"trial":0,"ended_ns":5,"connections":null,"exchanges":null,"retries":0}}` + "\n"
	end   = `{"end":{"entries":1}}` + "\n"
)

// header2 and trial2 are the same in version 2.
const (
	header2 = `{"format":"linger-trace","version":2,"kind":"fetch","strategies":[{"name":"keep","connections":1}],"network":{},"trials":1,"seed":1}` + "\n"
	trial2  = `{"strategy":0,"trace":{"provenance":"measured","engine":"lab","workload":"w","seed":1,"trial":0,"ended_us":0.005,"connections":null,"exchanges":null,"retries":0}}` + "\n"
)

func zip(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s)
	w.Close()
	return b.Bytes()
}

// readAll reads a file to its end.
func readAll(b []byte) (Header, []Entry, error) {
	f, err := Open(bytes.NewReader(b))
	if err != nil {
		return Header{}, nil, err
	}
	r, err := f.Trials()
	if err != nil {
		return Header{}, nil, err
	}
	var all []Entry
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Header, all, nil
		}
		if err != nil {
			if _, again := r.Next(); again != err {
				return Header{}, nil, fmt.Errorf("after %w it goes on with %w", err, again)
			}
			return Header{}, nil, err
		}
		all = append(all, e)
	}
}

func TestForeignFiles(t *testing.T) {
	whole := zip(header + trial + end)
	if _, all, err := readAll(whole); err != nil || len(all) != 1 || all[0].Trace.Ended != 5 {
		t.Fatalf("%+v, %v", all, err)
	}
	if _, all, err := readAll(zip(header2 + trial2 + end)); err != nil || len(all) != 1 || all[0].Trace.Ended != 5 {
		t.Fatalf("%+v, %v", all, err)
	}
	in := func(old, new string) []byte { return zip(strings.Replace(header+trial+end, old, new, 1)) }
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "it is no trace file"},
		{"text", []byte("a table of figures, longer than a header of gzip"), "it is no trace file"},
		{"other JSON, compressed", zip(`{"log":{"version":"1.2"}}` + "\n"), "it is no trace file"},
		{"no JSON, compressed", zip("\x00\x01\n"), "it is no trace file"},
		{"only compressed nothing", zip(""), "cut off after 0 trials"},
		{"a later version", in(`"version":1`, `"version":3,"kind":7`), "version 3, and this linger reads up to 2"},
		{"version 0", in(`"version":1`, `"version":0`), "it is no trace file"},
		{"another kind", in(`"kind":"fetch"`, `"kind":"film"`), `kind "film"`},
		{"no strategies", in(`{"name":"keep","connections":1}`, ``), "0 strategies"},
		{"a strategy without a name", in(`"name":"keep"`, `"name":""`), "has no name"},
		{"less than no connections", in(`"connections":1}`, `"connections":-1}`), "less than no connections"},
		{"a huge number of trials", in(`"trials":1`, `"trials":2000000000`), "2000000000 trials"},
		{"more than an integer", in(`"trials":1`, `"trials":1e99`), "first line cannot be read"},
		{"an experiment without a workload", in(`"fetch"`, `"experiment"`), "fetches nothing"},
		{"a network that is none", in(`"network":{}`, `"network":{"rtt_ns":-1}`), "round-trip time"},
		{"cut in the compression", whole[:len(whole)-20], "cut off after"},
		{"cut in the checksum", whole[:len(whole)-3], "cut off after 1 trials"},
		{"a wrong checksum", append(append([]byte{}, whole[:len(whole)-8]...), 1, 2, 3, 4, 5, 6, 7, 8), "broken after 1 trials"},
		{"no end", zip(header + trial), "cut off after 1 trials"},
		{"half a line", zip(header + trial[:40]), "cut off after 0 trials"},
		{"an end that counts otherwise", in(`"entries":1`, `"entries":2`), "after 1 trials and says that there are 2"},
		{"more behind the end", zip(header + trial + end + trial), "something stands behind its end"},
		{"more compressed behind the end", append(append([]byte{}, whole...), zip("x")...), "something stands behind its end"},
		{"no strategy", in(`{"strategy":0,`, `{`), "line 2 is wrong: strategy 0 of 1"},
		{"a strategy that is not there", in(`"strategy":0`, `"strategy":1`), "strategy 2 of 1"},
		{"two trials of one", zip(header + trial + trial + `{"end":{"entries":2}}` + "\n"), "line 3 is wrong: more than 1 trials of keep"},
		{"neither trace nor failure", zip(header + `{"strategy":0}` + "\n" + end), "either a trace or a failure"},
		{"a trial that never ends", in(`"ended_ns":5`, `"ended_ns":9000000000000000000`), "it lasts longer than"},
		{"an end before the beginning", in(`"ended_ns":5`, `"ended_ns":-5`), "less than nothing"},
		{"a connection twice", in(`"connections":null`, `"connections":[{"id":1},{"id":1}]`), "connection 1 stands twice"},
		{"an instant far away", in(`"connections":null`, `"connections":[{"id":1,"closed_ns":-9000000000000000000}]`), "connection 1: an instant is out of bounds"},
		{"less than no bytes", in(`"exchanges":null`, `"exchanges":[{"response_body":-1}]`), "exchange 1: it has -1 bytes"},
		{"a connection that counts wrong", in(`"connections":null`, `"connections":[{"requests":-1}]`), "connection 1: a count is less than nothing"},
		{"a host that holds less than nothing", in(`"retries":0`, `"retries":0,"client":{"sockets_peak":-1}`), "less than no sockets"},
		{"a ledger out of bounds", in(`"retries":0`, `"retries":0,"ledger":{"connections":[{"up":{"packets":-3}}]}`), "ledger is out of bounds"},
		{"no line", zip(header + "nonsense\n"), "line 2 cannot be read"},
		{"a number that is no time", in(`"ended_ns":5`, `"ended_ns":5.5`), `ended_ns: "5.5" is no whole number`},
		{"a connection without a number of its own", in(`"connections":null`, `"connections":[{"id":-1}]`), "connection 1: its number -1 is none"},
		{"a time in version 2 that is none", zip(header2 + strings.Replace(trial2, "0.005", `"5"`, 1) + end), "is no number of microseconds"},
		{"an exchange on what can be no connection", in(`"exchanges":null`, `"exchanges":[{"connection":-2}]`), "exchange 1: no connection has the number -2"},
	} {
		_, _, err := readAll(test.file)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want %q", test.name, err, test.want)
		}
	}
}

// A line, or a file, that is much larger than its compressed bytes is not held.
func TestABombIsRefused(t *testing.T) {
	r, w := io.Pipe()
	go func() {
		z := gzip.NewWriter(w)
		io.WriteString(z, header[:len(header)-2]+`,"command":"`)
		zeros := bytes.Repeat([]byte("0"), 1<<20)
		for range 2 * maxLine >> 20 {
			if _, err := z.Write(zeros); err != nil {
				return
			}
		}
		w.CloseWithError(z.Close())
	}()
	_, err := Open(r)
	r.Close()
	if err == nil || !strings.Contains(err.Error(), "line 1 is longer than 64 MB") {
		t.Error(err)
	}
}

func TestWhatIsAddedLaterIsIgnored(t *testing.T) {
	b := zip(strings.Replace(header, `"kind"`, `"colour":{"of":"later"},"kind"`, 1) + strings.Replace(trial, `"strategy"`, `"weather":[1],"strategy"`, 1) + end)
	if _, all, err := readAll(b); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

// FuzzReader: whatever the lines are, they are read, or refused in one line; what
// was read can be written and read again.
func FuzzReader(f *testing.F) {
	f.Add(header + trial + end)
	f.Add(header + `{"strategy":0,"failure":"refused"}` + "\n" + end)
	f.Add(strings.Replace(header, `"trials":1`, `"trials":3`, 1) + trial + trial + `{"end":{"entries":2,"interrupted":true}}` + "\n")
	f.Add(header + strings.Replace(trial, `"connections":null`, `"connections":[{"id":0,"dialled_ns":1,"local":"a","tls":{"version":"1.3"}}]`, 1) + end)
	f.Add(header2 + trial2 + end)
	f.Add(header2 + strings.Replace(trial2, `"connections":null`, `"connections":[{"id":0,"dialled_us":0.001,"quic":{"rtt_us":5}}]`, 1) + end)
	f.Add("{}\n")
	f.Add(streamHeader + oneOfEach + streamsEnd)
	f.Add(streamHeader + oneOfEach)
	f.Add(streamHeader + `{"connection":{"id":7,"up":{"packets":3},"probes":{"sent":1,"alive_us":2.5},"tls":{"alpn_offered":["h2"]},"began_before":true}}` + "\n" + `{"end":{"connections":1,"exchanges":0,"lost":4}}` + "\n")
	f.Add(streamHeader + `{"exchange":{"connection":9007199254740991,"earlier":[{"connection":3,"sent_us":-1e3}],"asked":{"connection":"close"},"frames":{"first":1,"last_file":2}}}` + "\n")
	f.Fuzz(func(t *testing.T, lines string) {
		file := zip(lines)
		if _, _, _, err := readStream(file); err == nil || errors.Is(err, ErrCutOff) {
			fuzzStream(t, file)
			return
		}
		h, all, err := readAll(file)
		if err != nil {
			if strings.Contains(err.Error(), "goes on with") || strings.Contains(err.Error(), "\n") {
				t.Fatal(err)
			}
			return
		}
		var b bytes.Buffer
		w, err := NewWriter(&b, h)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.Trace != nil && e.Trace.Ended > longest {
				t.Fatal("out of bounds")
			}
			if err := w.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(false); err != nil {
			t.Fatal(err)
		}
		if _, again, err := readAll(b.Bytes()); err != nil || len(again) != len(all) {
			t.Fatalf("%d of %d: %v", len(again), len(all), err)
		}
	})
}

// fuzzStream writes what was read of a stream, and reads the same again.
func fuzzStream(t *testing.T, file []byte) {
	_, all, end, err := readStream(file)
	if int64(len(all)) != end.Connections+end.Exchanges || err != nil && strings.Contains(err.Error(), "\n") {
		t.Fatalf("%d records, %+v, %v", len(all), end, err)
	}
	_, again, _, err := readStream(written(t, end, all...))
	want, _ := json.Marshal(all)
	if got, _ := json.Marshal(again); err != nil || string(got) != string(want) {
		t.Fatalf("%s, %v; want %s", got, err, want)
	}
}

func TestAFileOfBytesThatAreNoGzip(t *testing.T) {
	broken := zip(header + trial + end)
	for i := range broken {
		b := bytes.Clone(broken)
		b[i] ^= 0x5a
		readAll(b) // must not panic
	}
}

func BenchmarkReader(b *testing.B) {
	var file bytes.Buffer
	w, err := NewWriter(&file, Header{Source: Source{Kind: KindFetch}, Setup: Setup{Strategies: []linger.Strategy{{Name: "keep"}}, Trials: 1}})
	if err != nil {
		b.Fatal(err)
	}
	t := &Trace{}
	for i := range 100 {
		t.Connections = append(t.Connections, Connection{ID: int64(i), Client: "10.0.1.1:42378", Server: "10.0.2.1:443", Protocol: "http/1.1"})
		t.Exchanges = append(t.Exchanges, Exchange{ID: i, Method: "GET", URL: "https://origin/img/00.png", Connection: int64(i), Done: linger.Known(linger.Instant(i))})
	}
	if err := errors.Join(w.Write(Entry{Trace: t}), w.Close(false)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(file.Len()))
	for b.Loop() {
		if _, _, err := readAll(file.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
}

// Experiments stand one behind the other, as cat makes them of files. A reader of one refuses
// them, and what is cut off in the second is not taken for the end of the first.
func TestExperimentsBehindEachOther(t *testing.T) {
	one := zip(header2 + trial2 + end)
	both := append(bytes.Clone(one), one...)
	all, sources, err := ReadExperiments(bytes.NewReader(both))
	if err != nil || len(all) != 2 || len(sources) != 2 || len(all[1].Traces[0]) != 1 || sources[1].Kind != KindFetch {
		t.Errorf("%d experiments: %v", len(all), err)
	}
	if all, _, err := ReadExperiments(bytes.NewReader(one)); err != nil || len(all) != 1 {
		t.Errorf("%d experiments: %v", len(all), err)
	}
	if _, _, err := ReadExperiment(bytes.NewReader(both)); err == nil || !strings.Contains(err.Error(), "stands behind its end") {
		t.Errorf("a reader of one says %v", err)
	}
	for name, second := range map[string][]byte{"cut": zip(header2 + trial2), "foreign": zip("something\n"), "bytes": []byte("something")} {
		if _, _, err := ReadExperiments(bytes.NewReader(append(bytes.Clone(one), second...))); err == nil {
			t.Errorf("%s behind an experiment is no error", name)
		}
	}
}
