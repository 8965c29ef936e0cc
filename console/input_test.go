package console

import (
	"context"
	"os"
	"testing"
	"time"

	"linger/fault"
)

// What was read of a pipe until then is said.
func TestStoppedPipeSaysWhatItRead(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, stop := context.WithCancel(t.Context())
	in, err := OpenInput(ctx, "-", r)
	if err != nil {
		t.Fatal(err)
	}
	w.WriteString("until then")
	b := make([]byte, 5)
	for _, want := range []string{"until", " then"} {
		if n, err := in.Read(b); err != nil || string(b[:n]) != want {
			t.Errorf("%q, %v, want %q", b[:n], err, want)
		}
	}
	time.AfterFunc(10*time.Millisecond, stop)
	if n, err := in.Read(b); n != 0 || err != error(fault.ErrInterrupted) {
		t.Errorf("%d bytes, %v", n, err)
	}
}
