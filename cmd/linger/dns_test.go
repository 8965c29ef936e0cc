package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"linger/trace"
)

// TestTsharkReadsLookUps has another program count the packets, bytes, queries and
// answers of our own capture; the encrypted ones it decrypts with what is in it.
func TestTsharkReadsLookUps(t *testing.T) {
	needLab(t)
	t.Parallel()
	tshark := program(t, "tshark", "tshark")
	for _, strategy := range []string{"udp", "tcp", "tcp+pipeline", "dot+keep", "doh+keep"} {
		file := filepath.Join(t.TempDir(), "run.pcapng")
		out, errs, status := command(t, "get", "dns", "-s", strategy, "--json", "-o", file)
		var one trace.Trace
		if err := json.Unmarshal([]byte(out), &one); err != nil || status != exitDone {
			t.Fatalf("%s: status %d, %v: %s", strategy, status, err, errs)
		}
		read, err := exec.CommandContext(t.Context(), tshark, "-n", "-r", file, "-d", "tcp.port==853,tls",
			"-T", "fields", "-e", "ip.len", "-e", "dns.flags.response").Output()
		if err != nil {
			t.Fatal(err)
		}
		var packets, size, queries, answers int64
		for line := range strings.Lines(string(read)) {
			length, flags, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			first, _, _ := strings.Cut(length, ",")
			n, _ := strconv.ParseInt(first, 10, 64)
			packets, size = packets+1, size+n
			for flag := range strings.SplitSeq(flags, ",") {
				switch flag { // as versions of tshark write it
				case "0", "False":
					queries++
				case "1", "True":
					answers++
				}
			}
		}
		l, _ := one.Ledger.Get()
		if want := l.Up.Packets + l.Down.Packets; packets != want {
			t.Errorf("%s: tshark counts %d packets, the ledger %d", strategy, packets, want)
		}
		if want := l.Up.Bytes + l.Down.Bytes; size != want {
			t.Errorf("%s: tshark counts %d bytes, the ledger %d", strategy, size, want)
		}
		if queries != 20 || answers != 20 {
			t.Errorf("%s: tshark reads %d queries and %d answers, want 20 of each", strategy, queries, answers)
		}
	}
}
