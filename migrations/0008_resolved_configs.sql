-- Written by hand. A stored config is complete: fields that came later get the value that the run was trained with.
UPDATE `runs` SET `config` = json_set(`config`, '$.recompute', 'none') WHERE json_type(`config`, '$.recompute') IS NULL;--> statement-breakpoint
UPDATE `runs` SET `config` = json_set(`config`, '$.drive', 'background') WHERE json_type(`config`, '$.drive') IS NULL;--> statement-breakpoint
UPDATE `runs` SET `config` = json_set(`config`, '$.priority', `priority`) WHERE json_type(`config`, '$.priority') IS NULL;--> statement-breakpoint
UPDATE `runs` SET `config` = json_set(`config`, '$.checkpoint.every_seconds', NULL) WHERE json_type(`config`, '$.checkpoint.every_seconds') IS NULL;--> statement-breakpoint
UPDATE `runs` SET `config` = json_set(`config`, '$.checkpoint.on_best', json('false')) WHERE json_type(`config`, '$.checkpoint.on_best') IS NULL;
