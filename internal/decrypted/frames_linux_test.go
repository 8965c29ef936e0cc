package decrypted

import (
	"slices"
	"testing"

	"linger/internal/tshark"
)

// againstFrames holds where requests and responses are read against tshark: a request of HTTP/2
// begins in the frame in which its head is, and so does its response; a response of HTTP/1.1 ends
// in the frame that tshark shows it with. A request of HTTP/1.1 is shown where its body ends, and
// so it begins there or before.
func againstFrames(t *testing.T, name, file string, got tshark.Records, more ...string) {
	t.Helper()
	rows, err := tshark.Read(t.Context(), file, append([]string{"-n", "-o", "tcp.reassemble_out_of_order:TRUE"}, more...),
		"frame.number", "http.request.method", "http2.headers.method", "http.response.code", "http2.headers.status")
	if err != nil {
		t.Error(err)
		return
	}
	var asked, answered, begun, theirs []int64
	for _, r := range rows {
		n := r.Number("frame.number")
		for range len(list(r, "http.request.method")) + len(list(r, "http2.headers.method")) {
			asked = append(asked, n)
		}
		for _, c := range append(list(r, "http.response.code"), list(r, "http2.headers.status")...) {
			if c[0] != '1' {
				theirs = append(theirs, n)
			}
		}
	}
	h2 := slices.ContainsFunc(rows, func(r tshark.Row) bool { return r["http2.headers.method"] != "" })
	if len(theirs) == 0 {
		return // HTTP/3, of which it says nothing
	}
	for _, x := range got.Exchanges {
		begun = append(begun, x.Frames.First)
		if h2 {
			answered = append(answered, x.AnswerFrames.First)
		} else {
			answered = append(answered, x.Frames.Last)
		}
	}
	for _, l := range [][]int64{asked, answered, begun, theirs} {
		slices.Sort(l)
	}
	if !slices.Equal(answered, theirs) {
		t.Errorf("%s: responses in frames %v, tshark has them in %v", name, answered, theirs)
	}
	for i := range min(len(asked), len(begun)) {
		if begun[i] > asked[i] || h2 && begun[i] != asked[i] {
			t.Errorf("%s: request %d begins in frame %d, tshark has it in %d", name, i+1, begun[i], asked[i])
		}
	}
}
