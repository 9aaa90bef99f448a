-- A catalogue from commit 549471b on: names of extensions.
CREATE TABLE roots (path TEXT PRIMARY KEY);
CREATE TABLE frames (
    path TEXT PRIMARY KEY, root TEXT NOT NULL, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER,
    hash TEXT NOT NULL, header TEXT NOT NULL, statistics TEXT NOT NULL, error TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '', night TEXT NOT NULL DEFAULT '', mjd REAL, tag TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT '', why TEXT NOT NULL DEFAULT '', extensions TEXT NOT NULL DEFAULT '');
CREATE TABLE tasks (
    id TEXT PRIMARY KEY, recipe TEXT NOT NULL, night TEXT NOT NULL, state TEXT NOT NULL, task TEXT NOT NULL,
    outcome TEXT NOT NULL, grade TEXT NOT NULL);
CREATE TABLE attempts (
    number INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT NOT NULL, run INTEGER NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL,
    advice TEXT NOT NULL, log TEXT NOT NULL, seconds REAL NOT NULL, cpu_seconds REAL NOT NULL, peak_memory INTEGER NOT NULL,
    bytes_read INTEGER NOT NULL, bytes_written INTEGER NOT NULL);
CREATE TABLE products (
    name TEXT PRIMARY KEY, tag TEXT NOT NULL, task TEXT NOT NULL, hash TEXT NOT NULL, bytes INTEGER NOT NULL,
    size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER);
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, started TEXT NOT NULL, command TEXT NOT NULL, version TEXT NOT NULL,
    instrument TEXT NOT NULL, config TEXT NOT NULL, plan TEXT NOT NULL, exit_code INTEGER);

INSERT INTO roots (path) VALUES
    ('/data/night');
INSERT INTO frames (path, root, size, mtime_ns, ctime_ns, inode, hash, header, statistics, error, extensions, name, night, mjd, tag, state) VALUES
    ('/data/night/bias1.fits', '/data/night', 3525120, 1796077112272619814, 1796077112272619815, 10084370, 'd45e339eaad6ae8ee37005e1057024fd', 'SIMPLE  =                    T                                                  BITPIX  =                   16                                                  NAXIS   =                    2                                                  NAXIS1  =                 1100                                                  NAXIS2  =                 1600                                                  BZERO   =              32768.0                                                  OBJECT  = ''sky 20 µ''                                                            MJD-OBS =           57831.6667 / start                                          ', '[["NPOINTS",1760000.0],["QUANT500",672.0],["ROBUSTSTD",6.6716999999999995]]', '', '', 'night/bias1.fits', '170319_t2_CAFOS', 57831.6667, 'bias', 'good');
INSERT INTO frames (path, root, size, mtime_ns, ctime_ns, inode, hash, header, statistics, error, extensions, name, night, mjd, tag, state) VALUES
    ('/data/night/muse.fits', '/data/night', 48000960, 1796077112272619814, 1796077112272619815, 10084370, '1521fb521767fe3f60dab40b2e80e640', 'SIMPLE  =                    T                                                  BITPIX  =                    8                                                  NAXIS   =                    0                                                  EXTEND  =                    T                                                  INSTRUME= ''MUSE    ''                                                            MJD-OBS =          58233.41667                                                  ', '[]', '', 'CHAN01
CHAN02', 'night/muse.fits', '170319_t2_CAFOS', 57831.6667, '', 'wrong');
INSERT INTO frames (path, root, size, mtime_ns, ctime_ns, inode, hash, header, statistics, error, extensions, name, night, mjd, tag, state) VALUES
    ('/data/night/broken.fits', '/data/night', 17, 1796077112272619814, 1796077112272619815, 10084370, '', '', '[]', 'the file ends before its first header does', '', 'night/broken.fits', '170319_t2_CAFOS', 57831.6667, '', 'refused');
INSERT INTO tasks (id, recipe, night, state, task, outcome, grade) VALUES
    ('0b87a2eec0fe6b51f1c60c5a92a1c069', 'master-bias', '170319_t2_CAFOS', 'done', '{"id":"0b87a2eec0fe6b51f1c60c5a92a1c069","instrument":"cafos","recipe":"master-bias","recipe_version":1,"parameters":{"method":"sigma-clip","clip_sigma":4.0,"outlier_sigma":8.0,"level_tolerance":5.0,"noise_tolerance":0.3,"min_frames":1,"read_noise":0.0,"hot_pixel":50.0,"hot_column":15.0,"level_low":400.0,"level_high":1000.0,"read_noise_high":12.0},"night":"170319_t2_CAFOS","signature":"SITE#1d_15__256__256__[897,897:1152,1152]__1__1","inputs":[{"role":"main","tag":"bias","path":"/tmp/cmp/base/n/raw/170319_t2_CAFOS/caf-20170319-16:00:00-cal-simu.fits","name":"caf-20170319-16:00:00-cal-simu.fits","identity":"d45e339eaad6ae8ee37005e1057024fd","level":0,"why":"","mjd":57831.6667},{"role":"main","tag":"bias","path":"/tmp/cmp/base/n/raw/170319_t2_CAFOS/caf-20170319-16:01:11-cal-simu.fits","name":"caf-20170319-16:01:11-cal-simu.fits","identity":"1521fb521767fe3f60dab40b2e80e640","level":0,"why":"","mjd":57831.6675}],"outputs":[{"tag":"master-bias","path":"/tmp/cmp/base/r/bias/170319_t2_CAFOS/bias_caf-20170319-16:00:00-cal-simu_red.fits","name":"bias/170319_t2_CAFOS/bias_caf-20170319-16:00:00-cal-simu_red.fits"}],"missing":[],"level":0,"memory":41048576}', '{"products":[{"tag":"master-bias","name":"bias/170319_t2_CAFOS/bias_caf-20170319-16:00:00-cal-simu_red.fits","hash":"0ef0ece0ac1f1887d3e293341bf8bc2f","bytes":815040}],"quality":[{"name":"LEVEL","value":671.5870265154394,"error":0.1030796518794807,"unit":"adu","title":"mean level of the master bias","grade":"good","limits":"400 to 1000"},{"name":"READ NOISE","value":6.115582138873665,"error":0.008306905673051021,"unit":"adu","title":"read noise of one frame","grade":"good","limits":"0 to 12"}],"rejected":[],"notes":["the header states a read noise of 5.17 ADU, the frames show 6.12 ADU"]}', '"good"');
INSERT INTO products (name, tag, task, hash, bytes, size, mtime_ns, ctime_ns, inode) VALUES
    ('bias/170319_t2_CAFOS/bias_caf-20170319-16:00:00-cal-simu_red.fits', 'master-bias', '0b87a2eec0fe6b51f1c60c5a92a1c069', '0ef0ece0ac1f1887d3e293341bf8bc2f', 815040, 815040, 1796077112548619819, 1796077112552619819, 10084420);
INSERT INTO tasks (id, recipe, night, state, task, outcome, grade) VALUES
    ('77aa2eec0fe6b51f1c60c5a92a1c0a1b', 'master-flat', '170319_t2_CAFOS', 'done', '{"id":"77aa2eec0fe6b51f1c60c5a92a1c0a1b","instrument":"cafos","recipe":"master-flat","recipe_version":1,"parameters":{"method":"sigma-clip","clip_sigma":4.0,"outlier_sigma":8.0,"level_tolerance":5.0,"noise_tolerance":0.3,"min_frames":1,"read_noise":0.0,"hot_pixel":50.0,"hot_column":15.0,"level_low":400.0,"level_high":1000.0,"read_noise_high":12.0},"night":"170319_t2_CAFOS","signature":"SITE#1d_15__256__256__[897,897:1152,1152]__1__1","inputs":[{"role":"main","tag":"flat","path":"/tmp/cmp/base/n/raw/170319_t2_CAFOS/caf-20170319-16:00:00-cal-simu.fits","name":"flat1.fits","identity":"d45e339eaad6ae8ee37005e1057024fd","level":0,"why":"","mjd":57831.6667},{"role":"bias","tag":"master-bias","path":"/tmp/cmp/base/n/raw/170319_t2_CAFOS/caf-20170319-16:00:00-cal-simu.fits","name":"bias.fits","identity":"0b87a2eec0fe6b51f1c60c5a92a1c069","level":1,"why":"same set-up, same night, 3.2 h earlier","mjd":57831.6667}],"outputs":[{"tag":"master-bias","path":"/tmp/cmp/base/r/bias/170319_t2_CAFOS/bias_caf-20170319-16:00:00-cal-simu_red.fits","name":"bias/170319_t2_CAFOS/bias_caf-20170319-16:00:00-cal-simu_red.fits"}],"missing":[{"role":"dark","otherwise":"no dark is subtracted","level":2,"why":"there is none"}],"level":0,"memory":41048576}', '{"products":[{"tag":"master-flat","name":"flat/flat1_red.fits","hash":"47a407f29ff439781591973ed0878704","bytes":815040}],"quality":[{"name":"LEVEL","value":671.5870265154394,"error":0.1030796518794807,"unit":"adu","title":"mean level of the master bias","grade":"good","limits":"400 to 1000"},{"name":"READ NOISE","value":6.115582138873665,"error":0.008306905673051021,"unit":"adu","title":"read noise of one frame","grade":"good","limits":"0 to 12"}],"rejected":[],"notes":["the header states a read noise of 5.17 ADU, the frames show 6.12 ADU"]}', '"good"');
INSERT INTO products (name, tag, task, hash, bytes, size, mtime_ns, ctime_ns, inode) VALUES
    ('flat/flat1_red.fits', 'master-flat', '77aa2eec0fe6b51f1c60c5a92a1c0a1b', '47a407f29ff439781591973ed0878704', 815040, 815040, 1796077112548619819, 1796077112552619819, 10084420);
-- What an even older version wrote, and nobody can read.
INSERT INTO tasks (id, recipe, night, state, task, outcome, grade) VALUES
    ('ffff', 'master-bias', 'n', 'done', '{"recipe":"master-bias"}', '{}', '"good"');
INSERT INTO attempts (number, task, run, state, error, advice, log, seconds, cpu_seconds, peak_memory, bytes_read, bytes_written) VALUES
    (1, '0b87a2eec0fe6b51f1c60c5a92a1c069', 1, 'failed', 'the level is too low', 'look at the frames', 'warning: level
', 0.5, 0.25, 31682560, 100, 0);
INSERT INTO attempts (number, task, run, state, error, advice, log, seconds, cpu_seconds, peak_memory, bytes_read, bytes_written) VALUES
    (2, '0b87a2eec0fe6b51f1c60c5a92a1c069', 2, 'done', '', '', '', 0.029031931, 0.02, 31682560, 2752362, 806592);
INSERT INTO attempts (number, task, run, state, error, advice, log, seconds, cpu_seconds, peak_memory, bytes_read, bytes_written) VALUES
    (3, '77aa2eec0fe6b51f1c60c5a92a1c0a1b', 2, 'done', '', '', '', 0.1, 0.1, 31682560, 2752362, 806592);
INSERT INTO attempts (number, task, run, state, error, advice, log, seconds, cpu_seconds, peak_memory, bytes_read, bytes_written) VALUES
    (4, 'eeee2eec0fe6b51f1c60c5a92a1c0000', 2, 'failed', 'no star', 'take another', '', 0.1, 0.1, 31682560, 2752362, 806592);
INSERT INTO runs (number, started, command, version, instrument, config, plan, exit_code) VALUES
    (1, '2026-11-21T22:18:32', 'ifured reduce /data/night', '0.1.0', 'cafos', '{"instrument":"cafos"}', 'plan.json', 1);
INSERT INTO runs (number, started, command, version, instrument, config, plan, exit_code) VALUES
    (2, '2026-11-21T22:18:40', 'ifured reduce', '0.1.0', 'cafos', '{"instrument":"cafos"}', 'plan.json', NULL);
