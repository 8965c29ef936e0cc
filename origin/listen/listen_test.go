package listen

import (
	"strings"
	"testing"
)

func TestListenErrors(t *testing.T) {
	ln := must(TCP(t.Context(), "127.0.0.1:0", Options{}))
	defer ln.Close()
	for _, test := range []struct{ address, congestion, want string }{
		{ln.Addr().String(), "", "is in use; choose another port"},
		{"192.0.2.1:0", "", "no address of this host"},
		{"127.0.0.1:0", "carrier-pigeon", `"carrier-pigeon"`},
		{"127.0.0.1:http-but-wrong", "", "cannot listen on"},
	} {
		_, err := TCP(t.Context(), test.address, Options{Congestion: test.congestion})
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("TCP(%q, %q): %v", test.address, test.congestion, err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
