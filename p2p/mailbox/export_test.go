package mailbox

import (
	"context"
	"fmt"
	"time"
)

// LimitPages makes SQLite believe that the disk has no more than n pages.
func LimitPages(s *SQLite, n int) error {
	return s.submit(context.Background(), false, func() error {
		return s.db.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", n))
	})
}

// LeaveFree makes the store leave n bytes of the disk.
func LeaveFree(s *SQLite, n uint64) error {
	return s.submit(context.Background(), false, func() error {
		s.minFree, s.lookedAt = n, time.Time{}
		return nil
	})
}

// OnCommit calls hook before each commit, which fails when it returns false.
func OnCommit(s *SQLite, hook func() (ok bool)) error {
	return s.submit(context.Background(), false, func() error {
		s.db.CommitHook(hook)
		return nil
	})
}

// HighestRow returns the highest id in use.
func HighestRow(s *SQLite) (n int64, err error) {
	err = s.submit(context.Background(), false, func() (err error) {
		n, err = s.number("SELECT max(id) FROM box")
		return err
	})
	return n, err
}

// AddMigration makes the schema one version newer until the returned function is
// called.
func AddMigration(script string) (end func()) {
	migrations = append(migrations, script)
	return func() { migrations = migrations[:len(migrations)-1] }
}
