package live

import (
	"testing"

	"linger"
)

func TestSmoke(t *testing.T) {
	a := newAuthority(t)
	w := linger.Gallery(1)
	server := count(t, w, a.config("h2", "http/1.1"))
	for _, s := range []string{"close", "close:6", "close:6+resume", "keep", "keep:6", "pipeline", "h2", "h2:2", "h2:2+resume"} {
		tr := fetch(t, w, s, Config{Address: server.address, Verify: true, Roots: a.roots()})
		if f := failures(tr); len(f) > 0 {
			t.Errorf("%s: failed %v", s, f)
		}
		t.Logf("%s: %d %+v", s, len(tr.Connections), tr.Connections[len(tr.Connections)-1])
		t.Logf("%+v", tr.Exchanges[1])
	}
	w = plain(t, w)
	server = count(t, w, nil)
	for _, s := range []string{"h2", "h2:2"} {
		tr := fetch(t, w, s, Config{Address: server.address, Verify: true, Roots: a.roots()})
		if f := failures(tr); len(f) > 0 {
			t.Errorf("%s: failed %v", s, f)
		}
		t.Logf("%s: %d %+v", s, len(tr.Connections), tr.Connections[len(tr.Connections)-1])
	}
}
