package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
)

// A conversion copies the embedded database of a data folder into a PostgreSQL
// one, and what stands beside it (keys, the certificate, rules) into a new data
// folder. The source is only read; it is held meanwhile, so that no server adds to
// it. All rows arrive in one transaction, and only when what can be read there is
// the same.

// Copied is one table of a conversion.
type Copied struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
	// Sum does not depend on the order of the rows: the sum of their SHA-256.
	Sum string `json:"sum"`
}

// Progress is told how many of a table's rows have been copied.
type Progress func(table string, done, all int64)

// progressRows is how often a long table is told of.
const progressRows = 50_000

// Convert makes the data folder to, which must be empty or not there, out of the
// one in from, whose database is the embedded one; the database goes into the
// PostgreSQL one at address, which must hold nothing. Errors wrap ErrInUse,
// ErrNoStore, ErrExists, ErrUnsupported and what Open gives. Where it fails,
// nothing but empty tables is left.
func Convert(ctx context.Context, from, to, address string, tell Progress) (list []Copied, err error) {
	if address == "" { // engineOf would then take what the folder says
		return nil, fmt.Errorf("%w: name the PostgreSQL database with --database postgres://USER@HOST/NAME", ErrUnsupported)
	}
	e, err := engineOf(from, address)
	if err != nil {
		return nil, err
	}
	pg := e.(*postgresEngine) // there is no other that has an address
	if _, err := os.Stat(filepath.Join(from, AddressFile)); err == nil {
		return nil, fmt.Errorf("%w: %s says that its database is in PostgreSQL already; backup and restore move one", ErrUnsupported, filepath.Join(from, AddressFile))
	}
	if _, err := os.Stat(filepath.Join(from, File)); err != nil {
		return nil, fmt.Errorf("%w: no %s in %s; name the server's data folder with --from", ErrNoStore, File, from)
	}
	held, err := lockDir(from)
	if err != nil {
		return nil, err
	}
	defer held.Close()
	src, err := OpenBeside(ctx, from)
	if err != nil {
		return nil, err
	}
	defer src.Close()

	if files, err := os.ReadDir(to); err == nil && len(files) > 0 {
		return nil, fmt.Errorf("convert into %s: %w; name a new folder with --data", to, ErrExists)
	}
	tables, err := src.tables(ctx)
	if err != nil {
		return nil, err
	}
	if err := pg.onlyOurs(ctx, tables); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return nil, notWritable(to, err)
	}
	work, err := os.MkdirTemp(filepath.Dir(to), ".aval-convert-*") // made 0700
	if err != nil {
		return nil, notWritable(to, err)
	}
	defer os.RemoveAll(work)
	if err := beside(from, work); err != nil {
		return nil, fmt.Errorf("copy the data folder: %w", err)
	}
	db, err := Open(ctx, work, Database(address)) // makes the schema
	if err != nil {
		return nil, err
	}
	if err := errors.Join(db.Remember(), db.Close()); err != nil {
		return nil, err
	}
	_ = os.Remove(filepath.Join(work, "lock"))
	if list, err = src.copyInto(ctx, pg, tables, tell); err != nil {
		return nil, err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return list, err
	}
	return list, os.Rename(work, to)
}

// beside copies what a backup would hold of a data folder, without the database.
func beside(from, to string) error {
	return fs.WalkDir(os.DirFS(from), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && left(name):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir():
			return os.MkdirAll(filepath.Join(to, filepath.FromSlash(name)), 0o700)
		case !e.Type().IsRegular():
			return nil
		}
		raw, err := os.ReadFile(filepath.Join(from, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		f, err := os.OpenFile(filepath.Join(to, filepath.FromSlash(name)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(raw)
		return errors.Join(err, f.Sync(), f.Close())
	})
}

// schemaTables are about the schema and come with it.
var schemaTables = []string{goose.DefaultTablename, "schema_oldest"}

// tables lists the embedded database's tables, each after those that it refers to.
func (db *DB) tables(ctx context.Context) (out []string, err error) {
	all, err := texts(ctx, db.read, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT IN ($1, $2) ORDER BY name`, schemaTables[0], schemaTables[1])
	if err != nil {
		return nil, db.engine.explain(err)
	}
	needs := map[string][]string{}
	for _, t := range all {
		if needs[t], err = texts(ctx, db.read, `SELECT DISTINCT "table" FROM pragma_foreign_key_list($1) WHERE "table" <> $1`, t); err != nil {
			return nil, db.engine.explain(err)
		}
	}
	for len(out) < len(all) {
		before := len(out)
		for _, t := range all {
			if !slices.Contains(out, t) && !slices.ContainsFunc(needs[t], func(n string) bool { return !slices.Contains(out, n) }) {
				out = append(out, t)
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("copy database: tables refer to each other in a circle: %v", all)
		}
	}
	return out, nil
}

// texts are the first column's values of an answer.
func texts(ctx context.Context, pool *sql.DB, query string, args ...any) (out []string, err error) {
	rows, err := pool.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// onlyOurs refuses a database that has tables of somebody else: ours, empty, may
// be left of a conversion that failed.
func (e *postgresEngine) onlyOurs(ctx context.Context, ours []string) error {
	conn, err := pgx.ConnectConfig(ctx, e.config)
	if err != nil {
		return e.explain(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`)
	if err != nil {
		return e.explain(err)
	}
	have, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return e.explain(err)
	}
	for _, t := range have {
		if !slices.Contains(schemaTables, t) && !slices.Contains(ours, t) {
			return fmt.Errorf("convert into %s: %w: it has a table %q; make an empty database", e.name, ErrExists, t)
		}
	}
	return nil
}

// copyInto copies all tables in one transaction, reads them back in it, and
// commits where both are the same.
func (db *DB) copyInto(ctx context.Context, to *postgresEngine, tables []string, tell Progress) (list []Copied, err error) {
	conn, err := pgx.ConnectConfig(ctx, to.config)
	if err != nil {
		return nil, to.explain(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	// One snapshot of the source, though nobody should be writing.
	from, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, db.engine.explain(err)
	}
	defer from.Rollback()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		names := make([]string, len(tables))
		for i, t := range tables {
			names[i] = pgx.Identifier{t}.Sanitize()
		}
		// A server that starts on it meanwhile waits, and finds all or nothing.
		if _, err := tx.Exec(ctx, `LOCK TABLE `+strings.Join(names, ", ")+` IN ACCESS EXCLUSIVE MODE`); err != nil {
			return err
		}
		for i, t := range tables {
			var any bool
			if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM `+names[i]+`)`).Scan(&any); err != nil {
				return err
			}
			if any {
				return fmt.Errorf("convert into %s: %w: there are rows in %q; make an empty database", to.name, ErrExists, t)
			}
		}
		for _, t := range tables {
			c, err := copyTable(ctx, from, tx, t, tell)
			if err != nil {
				return fmt.Errorf("copy table %s: %w", t, err)
			}
			list = append(list, c)
		}
		return nil
	})
	if err != nil {
		return nil, to.explain(db.engine.explain(err))
	}
	return list, nil
}

// copyTable copies one table and compares what arrived.
func copyTable(ctx context.Context, from *sql.Tx, to pgx.Tx, table string, tell Progress) (c Copied, err error) {
	c.Table = table
	rows, err := to.Query(ctx, `SELECT column_name, data_type FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position`, table)
	if err != nil {
		return c, err
	}
	var columns, types, quoted []string
	var name, typ string
	if _, err := pgx.ForEachRow(rows, []any{&name, &typ}, func() error {
		columns, types, quoted = append(columns, name), append(types, typ), append(quoted, pgx.Identifier{name}.Sanitize())
		return nil
	}); err != nil {
		return c, err
	}
	have, err := from.QueryContext(ctx, `SELECT * FROM `+pgx.Identifier{table}.Sanitize()+` LIMIT 0`)
	if err != nil {
		return c, err
	}
	own, err := have.Columns()
	if err := errors.Join(err, have.Close()); err != nil {
		return c, err
	}
	if !slices.Equal(slices.Sorted(slices.Values(own)), slices.Sorted(slices.Values(columns))) {
		return c, fmt.Errorf("its columns are %v here and %v there", own, columns)
	}
	query := `SELECT ` + strings.Join(quoted, ", ") + ` FROM ` + pgx.Identifier{table}.Sanitize()
	src := &source{types: types, tell: func(done int64) {}}
	var all int64
	if err := from.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+pgx.Identifier{table}.Sanitize()).Scan(&all); err != nil {
		return c, err
	}
	if tell != nil {
		src.tell = func(done int64) { tell(table, done, all) }
	}
	if src.rows, err = from.QueryContext(ctx, query); err != nil {
		return c, err
	}
	defer src.rows.Close()
	if c.Rows, err = to.CopyFrom(ctx, pgx.Identifier{table}, columns, src); err != nil {
		return c, err
	}
	there, err := to.Query(ctx, query)
	if err != nil {
		return c, err
	}
	var back sum
	defer there.Close()
	for there.Next() {
		values, err := there.Values()
		if err != nil {
			return c, err
		}
		if err := back.add(values); err != nil {
			return c, err
		}
	}
	if err := there.Err(); err != nil {
		return c, err
	}
	if back != src.sum || c.Rows != all || back.rows != all {
		return c, fmt.Errorf("%d rows arrived (%s) of %d (%s): nothing was kept there", back.rows, back, all, src.sum)
	}
	c.Sum = back.String()
	if tell != nil {
		tell(table, all, all)
	}
	return c, nil
}

// source gives the rows of the embedded database to PostgreSQL's COPY.
type source struct {
	rows   *sql.Rows
	types  []string
	values []any
	sum    sum
	tell   func(done int64)
	err    error
}

func (s *source) Next() bool {
	if s.err != nil || !s.rows.Next() {
		return false
	}
	if s.values == nil {
		s.values = make([]any, len(s.types))
	}
	into := make([]any, len(s.values))
	for i := range s.values {
		into[i] = &s.values[i]
	}
	if s.err = s.rows.Scan(into...); s.err != nil {
		return false
	}
	for i, typ := range s.types {
		if s.values[i], s.err = typed(s.values[i], typ); s.err != nil {
			return false
		}
	}
	if s.err = s.sum.add(s.values); s.err != nil {
		return false
	}
	if s.sum.rows%progressRows == 0 {
		s.tell(s.sum.rows)
	}
	return true
}

func (s *source) Values() ([]any, error) { return s.values, s.err }

func (s *source) Err() error { return errors.Join(s.err, s.rows.Err()) }

// typed is a value of the embedded database, whose columns take any type, as the
// type that PostgreSQL's column has.
func typed(v any, typ string) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool:
		if typ == "boolean" {
			return v, nil
		}
	case int64:
		switch typ {
		case "bigint":
			return v, nil
		case "boolean":
			if v == 0 || v == 1 {
				return v == 1, nil
			}
		}
	case string:
		switch typ {
		case "text":
			return v, nil
		case "bytea": // an empty default is stored as a text
			return []byte(v), nil
		}
	case []byte:
		switch typ {
		case "bytea":
			return v, nil
		case "text":
			return string(v), nil
		}
	}
	return nil, fmt.Errorf("a value of type %T is no %s", v, typ)
}

// sum adds up the hashes of rows, whatever their order.
type sum struct {
	rows  int64
	words [4]uint64
}

// add takes one row in: each value with its type and length.
func (s *sum) add(values []any) error {
	h := sha256.New()
	part := func(kind byte, raw []byte) {
		var head [9]byte
		head[0] = kind
		binary.BigEndian.PutUint64(head[1:], uint64(len(raw)))
		h.Write(head[:])
		h.Write(raw)
	}
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			part('0', nil)
		case bool:
			part('b', []byte(fmt.Sprint(v)))
		case int64:
			part('i', binary.BigEndian.AppendUint64(nil, uint64(v)))
		case string:
			part('t', []byte(v))
		case []byte:
			part('x', v)
		default:
			return fmt.Errorf("a value of type %T", v)
		}
	}
	row := h.Sum(nil)
	var carry uint64
	for i := range s.words {
		s.words[i], carry = bits.Add64(s.words[i], binary.BigEndian.Uint64(row[8*i:]), carry)
	}
	s.rows++
	return nil
}

func (s sum) String() string {
	var raw []byte
	for _, w := range s.words {
		raw = binary.BigEndian.AppendUint64(raw, w)
	}
	return hex.EncodeToString(raw)
}
