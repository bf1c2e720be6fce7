ALTER TABLE `runs` ADD `process_deaths` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `runs` ADD `death_counts` integer DEFAULT false NOT NULL;