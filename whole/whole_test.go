package whole

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"linger/internal/testall"
)

// content is what a file holds, or "none".
func content(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return "none"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// alone fails if there is more in a folder than some files.
func alone(t *testing.T, folder string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(names) {
		t.Errorf("%v in %s, want %q", entries, folder, names)
	}
}

func TestOldUntilWhole(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.json")
	for _, old := range []string{"none", "old"} {
		if old != "none" {
			if err := os.WriteFile(name, []byte(old), 0o640); err != nil {
				t.Fatal(err)
			}
		}
		f, err := Create(name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte("half"))
		if got := content(t, name); got != old {
			t.Errorf("while it is written: %s, want %s", got, old)
		}
		if err := f.Discard(); err != nil {
			t.Error(err)
		}
		if err := f.Commit(); err != nil || content(t, name) != old {
			t.Errorf("a commit of what was discarded: %v, %s", err, content(t, name))
		}
		if err := Check(name); err != nil || content(t, name) != old {
			t.Errorf("a check: %v, %s", err, content(t, name))
		}
	}
	f, err := Create(name)
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("new"))
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := f.Discard(); err != nil || content(t, name) != "new" {
		t.Errorf("a discard of what was committed: %v, %s", err, content(t, name))
	}
	if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o640 {
		t.Errorf("the mode of the old file is kept: %v, %v", info.Mode(), err)
	}
	alone(t, dir, "a.json")
}

func TestSecret(t *testing.T) {
	if runtime.GOOS == "windows" {
		testall.Lacks(t, "files have no modes here")
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "a.pcapng")
	for _, old := range []bool{false, true} {
		if old {
			if err := os.Chmod(name, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		f, err := CreateSecret(name)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := f.file.Stat(); err != nil || info.Mode() != 0o600 {
			t.Errorf("as long as it is written: %v, %v", info.Mode(), err)
		}
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
			t.Errorf("over an old file %v: %v, %v", old, info.Mode(), err)
		}
	}
}

func TestLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "there"), 0o755); err != nil {
		t.Fatal(err)
	}
	target, link, loop := filepath.Join(dir, "there", "a"), filepath.Join(dir, "link"), filepath.Join(dir, "loop")
	if os.Symlink(filepath.Join("there", "a"), link) != nil || os.Symlink("loop", loop) != nil {
		testall.Lacks(t, "no symbolic links here")
	}
	for _, text := range []string{"new", "newer"} { // the first makes what the link leads to
		f, err := Create(link)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(text))
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 || content(t, target) != text {
			t.Errorf("%v, %v: %s", info.Mode(), err, content(t, target))
		}
	}
	if _, err := Create(loop); err == nil {
		t.Error("a link to itself has no end")
	}
	if !Same(link, target) || !Same(target, filepath.Join(dir, "there", "..", "there", "a")) || Same(target, loop) || Same(target, filepath.Join(dir, "b")) {
		t.Error("a link and what it leads to are the same, and nothing else")
	}
	if n := filepath.Join(dir, "new"); !Same(n, filepath.Join(dir, "there", "..", "new")) || Same(n, n+"2") {
		t.Error("two names of what is not there yet")
	}
}

func TestNoFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{dir, filepath.Join(dir, "none", "a")} {
		if Check(name) == nil {
			t.Errorf("%s can be written", name)
		}
		if f, err := Create(name); err == nil {
			f.Discard()
			t.Errorf("%s can be created", name)
		}
	}
	alone(t, dir)
}
