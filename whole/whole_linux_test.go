package whole

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// TestNoFolder writes a file in a folder in which no other can be made.
func TestNoFolder(t *testing.T) {
	dir, err := os.MkdirTemp("", "linger-whole") // not the test's own: another user may not go there
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "a")
	if os.WriteFile(name, []byte("old and long"), 0o644) != nil || os.Chmod(dir, 0o555) != nil {
		t.Fatal("the folder cannot be made")
	}
	defer os.Chmod(dir, 0o755)
	if os.Geteuid() == 0 { // root may write everywhere, so this thread looks at files as somebody else
		const nobody = 65534
		if os.Chown(name, nobody, nobody) != nil || os.Chown(dir, nobody, nobody) != nil {
			t.Fatal("the folder cannot be given away")
		}
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer syscall.Setfsuid(0)
	}
	f, err := Create(name)
	if err != nil || !f.InPlace() {
		t.Fatal(err)
	}
	f.Write([]byte("new"))
	if err := f.Commit(); err != nil || content(t, name) != "new" {
		t.Errorf("%v: %s", err, content(t, name))
	}
	if Check(filepath.Join(dir, "b")) == nil {
		t.Error("there a file can be made")
	}
}
