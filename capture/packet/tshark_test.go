package packet_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/internal/testall"
	"linger/internal/tshark"
)

// read reads capture files.
func read(t testing.TB, files ...[]byte) (got tshark.Records, s packet.Summary) {
	t.Helper()
	s = readWith(t, packet.Options{}, &got, files...)
	return got, s
}

func readWith(t testing.TB, o packet.Options, to packet.Sink, files ...[]byte) packet.Summary {
	t.Helper()
	var in []pcap.Input
	for i, b := range files {
		in = append(in, pcap.Input{Name: fmt.Sprint(i), From: bytes.NewReader(b)})
	}
	opened, err := pcap.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	s, err := packet.Read(opened, o, to)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func byTshark(t testing.TB, file string, more ...string) map[int64]tshark.Counts {
	t.Helper()
	out, err := tshark.Count(t.Context(), file, more...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func ofRecords(t testing.TB, r tshark.Records) map[int64]tshark.Counts {
	t.Helper()
	out, err := tshark.Of(r)
	if err != nil {
		t.Error(err)
	}
	return out
}

// alone is what tshark counts more than the records have, by file and stream, and why.
var alone = map[string]map[int64]tshark.Counts{
	// Each packet was captured twice, and counts once here.
	"zeek_nflog-http.pcap":             {0: {SYN: 2, Retransmitted: 2}},
	"zeek_http_m57-long-49600-80.pcap": {0: {SYN: 2, Retransmitted: 18}},
	// Frame 8, a request, was captured after its own acknowledgement, frame 6. Requests of
	// HTTP/0.9 are none for tshark.
	"zeek_ipv6-http-atomic-frag.pcap": {0: {Retransmitted: 1, Requests: -1}, 1: {Requests: -1}, 2: {Requests: -1}, 3: {Requests: -1}},
	"zeek_http_http_09.pcap":          {0: {Requests: -1}},
	// Frame 19, a FIN, was captured after frame 18, an empty segment that was sent after it.
	"zeek_tls_tls13_psk_succesfull.pcap": {0: {Retransmitted: 1}},
	// A part of the response's body was not captured: tshark waits for it in vain.
	"zeek_http_entity_gap.pcap": {0: {Responses: -1}},
	// Parts of the body came in another order, which tshark waits for, unless told otherwise.
	"zeek_http_concurrent-range-requests.pcap": {1: {Responses: -1}},
}

// captures are those of others, beside the checkout or beside the folder of several.
func captures(t testing.TB) (files []string) {
	t.Helper()
	for _, up := range []string{"../../..", "../../../.."} {
		more, err := filepath.Glob(up + "/shared/data/pcap/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range more {
			if !slices.ContainsFunc(files, func(other string) bool { return filepath.Base(other) == filepath.Base(file) }) {
				files = append(files, file)
			}
		}
	}
	return files
}

func TestTsharkCountsTheSame(t *testing.T) {
	files := captures(t)
	if len(files) == 0 {
		t.Skip("no captures in ../../shared/data/pcap")
	}
	testall.Needs(t, "tshark")
	for i, file := range files {
		if i%testall.Of(1, 8) > 0 {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			records, _ := read(t, b)
			got, want := ofRecords(t, records), byTshark(t, file)
			for n, w := range want {
				w = w.Less(alone[filepath.Base(file)][n])
				if g := got[n]; g != w {
					t.Errorf("tcp.stream %d: %+v, tshark counts %+v beside what it is known to", n, g, w)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d connections, tshark counts %d", len(got), len(want))
			}
		})
	}
}
